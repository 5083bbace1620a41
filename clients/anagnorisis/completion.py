"""Shell completion scripts, generated from the parser."""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from anagnorisis.parser import build

FURTHER_WORDS = {"mood": ("off", "like", "calm", "lively", "artist:", "album:", "folder:")}
COMMANDS = {"mood": "anagnorisis tags --names 2>/dev/null"}


class Verb(NamedTuple):
    """A verb, its summary, and the options, choices and other words that may follow it.

    `command` prints further words, one a line; it fails silently without a daemon.
    """

    name: str
    summary: str
    words: tuple[str, ...]
    command: str


def script(shell: str) -> str:
    """Return the completion script for a shell."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](list(verbs()))


def verbs() -> Iterator[Verb]:
    choices = subparsers(build())
    for choice in choices._choices_actions:
        words = (*_words(choices.choices[choice.dest]), *FURTHER_WORDS.get(choice.dest, ()))
        yield Verb(choice.dest, choice.help or "", words, COMMANDS.get(choice.dest, ""))


def subparsers(
    parser: argparse.ArgumentParser,
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Return the action that holds the verbs; argparse has no public attribute for it."""
    return next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )


def _words(verb: argparse.ArgumentParser) -> Iterator[str]:
    for action in verb._actions:
        yield from action.option_strings
        yield from map(str, action.choices or ())


def _bash(verbs: list[Verb]) -> str:
    cases = "\n".join(
        f"    {verb.name}) words='{' '.join(verb.words)}'"
        + (f'" $({verb.command})"' if verb.command else "")
        + " ;;"
        for verb in verbs
    )
    names = " ".join(verb.name for verb in verbs)
    return f"""\
_anagnorisis() {{
  local words verb=${{COMP_WORDS[1]}}
  case $COMP_CWORD:$verb in 1:*) verb= ;; esac
  case $verb in
    '') words='{names} --help --json --socket --version' ;;
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _anagnorisis anagnorisis
"""


def _zsh(verbs: list[Verb]) -> str:
    names = "\n".join(f"    '{verb.name}:{_quoted(verb.summary)}'" for verb in verbs)
    cases = "\n".join(
        f"    {verb.name}) compadd -- {' '.join(verb.words)}"
        + (f' ${{(f)"$({verb.command})"}}' if verb.command else "")
        + " ;;"
        for verb in verbs
    )
    return f"""\
#compdef anagnorisis
_anagnorisis() {{
  local -a verbs=(
{names}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
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


def _fish(verbs: list[Verb]) -> str:
    lines = []
    for verb in verbs:
        condition = f"-n '__fish_seen_subcommand_from {verb.name}'"
        lines.append(
            "complete -c anagnorisis -n __fish_use_subcommand "
            f"-a {verb.name} -d '{_quoted(verb.summary)}'"
        )
        lines += [f"complete -c anagnorisis {condition} {_fish_word(word)}" for word in verb.words]
        if verb.command:
            lines.append(f"complete -c anagnorisis {condition} -a '({verb.command})'")
    return "\n".join(lines) + "\n"


def _fish_word(word: str) -> str:
    if word.startswith("--"):
        return f"-l {word[2:]}"
    return f"-s {word[1:]}" if word.startswith("-") else f"-a {word}"


def _quoted(text: str) -> str:
    return text.replace("'", "").replace(":", "")
