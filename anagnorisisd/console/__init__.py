"""The screen of a foreground run: a live view on a terminal, plain lines elsewhere."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from anagnorisisd.console.plain_screen import PlainScreen
from anagnorisisd.console.snapshot import ScanState, Screen, Snapshot

__all__ = ["ScanState", "Screen", "Snapshot", "screen_for"]

DUMB_TERMINALS = ("dumb", "unknown")
"""Values of TERM for terminals that cannot move the cursor; the same as in rich."""


def screen_for(stream: TextIO, variables: Mapping[str, str]) -> Screen | None:
    """Return the screen for `stream`; `None` for a systemd service, which only logs."""
    if "NOTIFY_SOCKET" in variables or ("JOURNAL_STREAM" in variables and not stream.isatty()):
        return None
    client = client_command()
    if stream.isatty() and variables.get("TERM") not in DUMB_TERMINALS:
        from rich.console import Console

        from anagnorisisd.console.terminal_screen import TerminalScreen

        return TerminalScreen(Console(file=stream), client)
    return PlainScreen(stream, client)


def client_command() -> str:
    """Return the command that starts the client: its name if it is in PATH, else its path."""
    if shutil.which("anagnorisis"):
        return "anagnorisis"
    beside = Path(sys.executable).parent / "anagnorisis"
    here = Path(os.path.relpath(beside))
    return str(here if len(str(here)) < len(str(beside)) else beside)
