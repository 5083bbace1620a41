"""Desktop integration: a menu of ratings, and notifications."""

import subprocess
from argparse import ArgumentTypeError
from collections.abc import Callable

from anagnorisis.errors import USAGE, Failed, one_line

CHOICES = (*map(str, range(10, -1, -1)), "clear", "undo")
MENUS = (
    ("rofi", "-dmenu", "-i", "-p", "rate"),
    ("wofi", "--dmenu", "--prompt", "rate"),
    ("fuzzel", "--dmenu", "--prompt", "rate "),
    ("dmenu", "-i", "-p", "rate"),
)
"""The first installed one is used."""


def choose(read: Callable[[str], str]) -> str | None:
    """Show the menu and return the choice, parsed by `read`; `None` if it was closed.

    Raises:
        Failed: no menu program is installed, or `read` rejects the text.
    """
    import shutil  # slow to import, and only the menu needs it

    command = next((menu for menu in MENUS if shutil.which(menu[0])), None)
    if command is None:
        names = ", ".join(menu[0] for menu in MENUS)
        raise Failed(f"there is no menu program; install one of {names}")
    result = subprocess.run(
        command, input="\n".join(CHOICES), capture_output=True, text=True, check=False
    )
    word = result.stdout.strip()
    try:
        return read(word) if word else None
    except ArgumentTypeError as error:
        raise Failed(str(error), USAGE) from error


SHOWN_MILLISECONDS = "2000"


def notify(summary: str, body: str = "") -> None:
    """Show a notification without waiting; do nothing if `notify-send` is not installed.

    Notification servers parse the body as markup, so it is escaped: a tag may contain `<`.
    """
    command = (
        "notify-send",
        "--app-name=Anagnorisis",
        f"--expire-time={SHOWN_MILLISECONDS}",
        # Servers replace the previous notification that has the same value of these hints.
        "--hint=string:x-canonical-private-synchronous:anagnorisis",
        "--hint=string:x-dunst-stack-tag:anagnorisis",
        "--",
        one_line(summary),
        _escaped(one_line(body)),
    )
    devnull = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=devnull, stdout=devnull, stderr=devnull, start_new_session=True
        )
    except OSError:
        return  # notify-send is not installed; the rating is stored nevertheless.
    process.returncode = 0  # Not waited for; this suppresses the ResourceWarning.


def _escaped(body: str) -> str:
    # Like `html.escape`, whose import takes longer than the rest of this module.
    return body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
