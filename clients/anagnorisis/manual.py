"""Manual page, generated from the parser."""

import argparse

from anagnorisis import VERSION
from anagnorisis.completion import subparsers
from anagnorisis.parser import DESCRIPTION, EPILOG, build

FILES = """\
.SH ENVIRONMENT
.TP
.B ANAGNORISIS_SOCKET
Socket of the daemon.
.TP
.BR ANAGNORISIS_ADDRESS ", " ANAGNORISIS_TOKEN_FILE ", " ANAGNORISIS_CERTIFICATE
A daemon on another machine: its address, the file that holds its token, and the certificate to
trust.
.SH SEE ALSO
.BR mpc (1),
.BR mpd (1)
"""


def page() -> str:
    """Return the manual page in roff."""
    parser = build()
    commands = subparsers(parser).choices.values()
    parts = [
        f'.TH ANAGNORISIS 1 "" "anagnorisis {VERSION}" "User Commands"',
        ".SH NAME",
        "anagnorisis \\- rate music and steer what Anagnorisis picks",
        ".SH SYNOPSIS",
        f".B anagnorisis\n{_roff(_usage(parser))}",
        ".SH DESCRIPTION",
        _roff(DESCRIPTION),
        _roff(EPILOG),
        ".SH OPTIONS",
        *_arguments(parser),
        ".SH COMMANDS",
        *(line for command in commands for line in _command(command)),
        FILES,
    ]
    return "\n".join(parts)


def program_page(parser: argparse.ArgumentParser) -> str:
    """Return the manual page, in roff, of a program without commands."""
    name, summary = _roff(parser.prog), str(parser.description)
    parts = [
        f'.TH {name.upper()} 1 "" "anagnorisis {VERSION}" "User Commands"',
        ".SH NAME",
        f"{name} \\- {_roff(summary[0].lower() + summary[1:].removesuffix('.'))}",
        ".SH SYNOPSIS",
        f".B {name}\n[OPTION]...",
        ".SH DESCRIPTION",
        _roff(summary),
        *([_roff(parser.epilog)] if parser.epilog else []),
        ".SH OPTIONS",
        *_arguments(parser),
        FILES,
    ]
    return "\n".join(parts)


def _command(command: argparse.ArgumentParser) -> list[str]:
    name = command.prog.split()[-1]
    title = f".SS {name} {_roff(_usage(command))}".rstrip()
    actions = [action for action in command._actions if action.default is not argparse.SUPPRESS]
    return [title, _roff(f"{command.description}."), *_argument_list(actions)]


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    return _argument_list(
        [action for action in parser._actions if action.option_strings and action.dest != "help"]
    )


def _argument_list(actions: list[argparse.Action]) -> list[str]:
    lines = []
    for action in actions:
        value = "" if action.nargs == 0 else str(action.metavar or action.dest)
        names = ", ".join(action.option_strings)
        lines += [".TP", f".B {_roff(f'{names} {value}'.strip())}", _roff(_help(action))]
    return lines


def _usage(parser: argparse.ArgumentParser) -> str:
    """Return the positional arguments of the usage line."""
    words = [
        f"[{action.metavar or action.dest}]" if action.nargs == "?" else str(action.metavar or "")
        for action in parser._actions
        if not action.option_strings
    ]
    return " ".join(words)


def _help(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default, "prog": "anagnorisis"}


def _roff(text: str) -> str:
    safe = text.replace("\\", "\\\\").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
