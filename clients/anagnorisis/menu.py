"""Choosing a rating in a menu of the desktop."""

import shutil
import subprocess
from argparse import ArgumentTypeError
from collections.abc import Callable

from anagnorisis.errors import USAGE, Failed

CHOICES = (*map(str, range(10, -1, -1)), "clear", "undo")
MENUS = (
    ("rofi", "-dmenu", "-i", "-p", "rate"),
    ("wofi", "--dmenu", "--prompt", "rate"),
    ("fuzzel", "--dmenu", "--prompt", "rate "),
    ("dmenu", "-i", "-p", "rate"),
)
"""The first of these that is installed is used."""


def chosen(read: Callable[[str], str]) -> str | None:
    """Let the listener choose and return the word, read; `None` when they changed their mind.

    Raises:
        Failed: there is no menu program, or what was typed into it means nothing.
    """
    command = next((menu for menu in MENUS if shutil.which(menu[0])), None)
    if command is None:
        names = ", ".join(menu[0] for menu in MENUS)
        raise Failed(f"there is no menu program; install one of {names}")
    done = subprocess.run(
        command, input="\n".join(CHOICES), capture_output=True, text=True, check=False
    )
    word = done.stdout.strip()
    try:
        return read(word) if word else None
    except ArgumentTypeError as error:
        raise Failed(str(error), USAGE) from error
