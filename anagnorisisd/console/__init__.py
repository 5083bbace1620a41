"""What a foreground run shows: a live view on a terminal, calm lines elsewhere."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from anagnorisisd.console.plain import PlainScreen
from anagnorisisd.console.snapshot import Scanning, Screen, Snapshot

__all__ = ["Scanning", "Screen", "Snapshot", "screen_for"]

DUMB_TERMINALS = ("dumb", "unknown")
"""Values of TERM where no cursor can be moved, as rich sees it; a live view would be garbage."""


def screen_for(stream: TextIO, variables: Mapping[str, str]) -> Screen | None:
    """Return the screen that suits `stream`; a service of systemd has its log and needs none."""
    if "NOTIFY_SOCKET" in variables or ("JOURNAL_STREAM" in variables and not stream.isatty()):
        return None
    client = client_command()
    if stream.isatty() and variables.get("TERM") not in DUMB_TERMINALS:
        from rich.console import Console

        from anagnorisisd.console.terminal import TerminalScreen

        return TerminalScreen(Console(file=stream), client)
    return PlainScreen(stream, client)


def client_command() -> str:
    """Return what to type for the client: its name if the shell finds it, else its path."""
    if shutil.which("anagnorisis"):
        return "anagnorisis"
    beside = Path(sys.executable).parent / "anagnorisis"
    here = Path(os.path.relpath(beside))
    return str(here if len(str(here)) < len(str(beside)) else beside)
