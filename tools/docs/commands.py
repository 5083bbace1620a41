"""The page of all commands, generated from the argument parsers."""

import argparse
from collections.abc import Collection

from anagnorisis import parser, rate_key
from anagnorisis.completion import subparsers
from anagnorisis_web import __main__ as web
from anagnorisisd import cli
from tools.docs.markdown import code, table

HEAD = """\
# Commands

Generated from the help of the commands by `make docs`; do not edit it here. In the project
directory the commands are in `.venv/bin`; see [First steps](../README.md#first-steps).
"""
COMMON = """\
Exit codes: 0 success, 1 refused, 2 wrong usage, 69 no connection to the daemon or MPD. With
`--json` every command prints the response of the gRPC service as JSON; lists and streams have one
object per line.
"""


def page() -> str:
    """Return the page in Markdown."""
    client, script, server = parser.build(), rate_key.parser(), cli.build_parser()
    lines = [HEAD, "## anagnorisis", "", str(client.description), "", COMMON]
    lines += _options(client)
    for subcommand in _subcommands(client):
        lines += _section(subcommand, known=_names(client))
    lines += ["## anagnorisis-rate", "", str(script.description), ""]
    lines += [*_usage(script), *_options(script)]
    page = web.parser()
    lines += ["## anagnorisis-web", "", str(page.description), "", str(page.epilog), ""]
    lines += [*_usage(page), *_options(page)]
    lines += ["## anagnorisisd", "", str(server.description), "", *_options(server)]
    for subcommand in _subcommands(server):
        lines += _section(subcommand, known=_names(server))
    return "\n".join(lines).rstrip() + "\n"


def _subcommands(program: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    return list(subparsers(program).choices.values())


def _section(command: argparse.ArgumentParser, known: set[str]) -> list[str]:
    title = [
        f"### {command.prog}",
        "",
        f"{(command.description or '').removesuffix('.')}.",
        "",
    ]
    own = _options(command, without=known)
    return [*title, *_usage(command, without=known), *own]


def _names(program: argparse.ArgumentParser) -> set[str]:
    return {name for action in program._actions for name in action.option_strings}


def _usage(program: argparse.ArgumentParser, without: Collection[str] = ()) -> list[str]:
    words = [program.prog]
    for action in _shown(program, without):
        value = _value(action)
        if not action.option_strings:
            words.append(f"[{value}]" if action.nargs == "?" else value)
            continue
        words.append(f"[{action.option_strings[-1]}{'' if action.nargs == 0 else f' {value}'}]")
    return ["```text", " ".join(words), "```", ""]


def _options(program: argparse.ArgumentParser, without: Collection[str] = ()) -> list[str]:
    rows = [
        (code(_name(action)), _help(action, program))
        for action in _shown(program, without)
        if not isinstance(action, argparse._SubParsersAction)
    ]
    return table(("argument", "meaning"), rows) if rows else []


def _shown(program: argparse.ArgumentParser, without: Collection[str]) -> list[argparse.Action]:
    hidden = {"-h", *without}
    return [action for action in program._actions if not hidden & set(action.option_strings)]


def _name(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return f"{', '.join(action.option_strings)}{value}".strip()


def _value(action: argparse.Action) -> str:
    return "|".join(action.choices or ()) or str(action.metavar or action.dest)


def _help(action: argparse.Action, program: argparse.ArgumentParser) -> str:
    return (action.help or "") % {"default": action.default, "prog": program.prog}
