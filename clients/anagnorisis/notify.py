"""A desktop notification that replaces the one before; nobody waits for it or needs it."""

import subprocess

from anagnorisis.errors import one_line

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
