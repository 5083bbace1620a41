"""The desktop: a menu to choose a rating, and notifications."""

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
"""The first of these that is installed is used."""


def chosen(read: Callable[[str], str]) -> str | None:
    """Let the listener choose and return the word, read; `None` when they changed their mind.

    Raises:
        Failed: there is no menu program, or what was typed into it means nothing.
    """
    import shutil  # only the menu needs it, and a key press should be quick

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


SHOWN_MILLISECONDS = "2000"


def notify(summary: str, body: str = "") -> None:
    """Show a notification if this desktop can, and return at once.

    The body is markup to notification servers; here it is text, whatever a tag holds.
    """
    command = (
        "notify-send",
        "--app-name=Anagnorisis",
        f"--expire-time={SHOWN_MILLISECONDS}",
        # Notification servers keep one notification for each of these names.
        "--hint=string:x-canonical-private-synchronous:anagnorisis",
        "--hint=string:x-dunst-stack-tag:anagnorisis",
        "--",
        one_line(summary),
        _text(one_line(body)),
    )
    nothing = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except OSError:
        return  # No notify-send here: the rating stands all the same.
    process.returncode = 0  # It goes on alone; Python need not complain that it still runs.


def _text(body: str) -> str:
    # As `html.escape`, whose module would take longer to load than all of this.
    return body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
