"""Shell completion scripts, generated from the parser."""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from anagnorisis.parser import build

FURTHER_WORDS = {"mood": ("off", "like", "calm", "lively", "artist:", "album:", "folder:")}
SHELL_COMMANDS = {"mood": 'anagnorisis tags --names 2>/dev/null | sed "p; s/^/-/"'}
"""The tags that the library separates, also as unwanted ones."""


class Command(NamedTuple):
    """A command, its summary, and the options, choices and other words that may follow it.

    `shell_command` prints further words, one a line; it fails silently without a daemon.
    """

    name: str
    summary: str
    words: tuple[str, ...]
    shell_command: str


def script(shell: str) -> str:
    """Return the completion script for a shell."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](list(commands()))


def commands() -> Iterator[Command]:
    choices = subparsers(build())
    for choice in choices._choices_actions:
        words = (*_words(choices.choices[choice.dest]), *FURTHER_WORDS.get(choice.dest, ()))
        yield Command(choice.dest, choice.help or "", words, SHELL_COMMANDS.get(choice.dest, ""))


def subparsers(
    parser: argparse.ArgumentParser,
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Return the action that holds the commands; argparse has no public attribute for it."""
    return next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )


def _words(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        yield from action.option_strings
        yield from map(str, action.choices or ())


def _bash(commands: list[Command]) -> str:
    cases = "\n".join(
        f"    {command.name}) words='{' '.join(command.words)}'"
        + (f'" $({command.shell_command})"' if command.shell_command else "")
        + " ;;"
        for command in commands
    )
    names = " ".join(command.name for command in commands)
    return f"""\
_anagnorisis() {{
  local words subcommand=${{COMP_WORDS[1]}}
  case $COMP_CWORD:$subcommand in 1:*) subcommand= ;; esac
  case $subcommand in
    '') words='{names} --help --json --socket --version' ;;
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _anagnorisis anagnorisis
"""


def _zsh(commands: list[Command]) -> str:
    names = "\n".join(f"    '{command.name}:{_quoted(command.summary)}'" for command in commands)
    cases = "\n".join(
        f"    {command.name}) compadd -- {' '.join(command.words)}"
        + (f' ${{(f)"$({command.shell_command})"}}' if command.shell_command else "")
        + " ;;"
        for command in commands
    )
    return f"""\
#compdef anagnorisis
_anagnorisis() {{
  local -a subcommands=(
{names}
  )
  if (( CURRENT == 2 )); then
    _describe command subcommands
    return
  fi
  case $words[2] in
{cases}
  esac
  _files
}}
# A sourced script registers the function; as an autoloaded file in fpath it is called.
if [[ $funcstack[1] == _anagnorisis ]]; then
  _anagnorisis "$@"
else
  compdef _anagnorisis anagnorisis
fi
"""


def _fish(commands: list[Command]) -> str:
    lines = []
    for command in commands:
        condition = f"-n '__fish_seen_subcommand_from {command.name}'"
        lines.append(
            "complete -c anagnorisis -n __fish_use_subcommand "
            f"-a {command.name} -d '{_quoted(command.summary)}'"
        )
        lines += [
            f"complete -c anagnorisis {condition} {_fish_word(word)}" for word in command.words
        ]
        if command.shell_command:
            lines.append(f"complete -c anagnorisis {condition} -a '({command.shell_command})'")
    return "\n".join(lines) + "\n"


def _fish_word(word: str) -> str:
    if word.startswith("--"):
        return f"-l {word[2:]}"
    return f"-s {word[1:]}" if word.startswith("-") else f"-a {word}"


def _quoted(text: str) -> str:
    return text.replace("'", "").replace(":", "")
