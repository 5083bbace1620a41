"""Translates MPD's errors and those of python-mpd2 into the daemon's errors."""

import re
from contextlib import suppress

import mpd
from mpd.base import FailureResponseCode

from anagnorisisd.errors import PlayerRefused, PlayerUnavailable

NOT_FOUND = FailureResponseCode.NO_EXIST
UPDATE_QUEUE_FULL = FailureResponseCode.UPDATE_ALREADY
QUEUE_FULL = FailureResponseCode.PLAYLIST_MAX
EXISTS = FailureResponseCode.EXIST

ACK = re.compile(
    r"\[(?P<code>\d{1,9})@(?P<offset>\d{1,9})\]\s*{(?P<command>[^}]*)}\s*(?P<message>.*)"
)


class AckError(mpd.CommandError):  # type: ignore[misc]
    """An ACK line of MPD; `errno` is `None` where python-mpd2 does not know the code.

    python-mpd2 closes the connection at such a code. Mopidy sends one:
    `ACK [0@0] {subscribe} Not implemented`.
    """

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.errno: FailureResponseCode | None = None
        self.offset: int | None = None
        self.command: str | None = None
        self.msg: str | None = text
        if found := ACK.match(text):
            self.offset, self.command = int(found["offset"]), found["command"]
            self.msg = found["message"]
            with suppress(ValueError):
                self.errno = FailureResponseCode(int(found["code"]))


class CommandRefused(PlayerRefused):
    """MPD answered a command with an error; `code` is that of the ACK line, if it has one.

    `index` is that of the command in a command list.
    """

    def __init__(
        self, message: str, code: FailureResponseCode | None, index: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.index = index


def refused(error: mpd.CommandError, command: str) -> CommandRefused:
    """Translate an error that MPD sent in response to a command."""
    text = f"MPD refused {(error.command or command)!r}: {error.msg or error}"
    return CommandRefused(text, error.errno, error.offset)


def unavailable(error: BaseException, action: str) -> PlayerUnavailable:
    """Translate an error of the connection; `action` is what was attempted."""
    if isinstance(error, TimeoutError):
        reason = "no answer in time"
    elif isinstance(error, mpd.ConnectionError | OSError):
        reason = str(error) or "the connection was lost"
    else:
        reason = f"unexpected response ({error})"
    return PlayerUnavailable(f"{action}: {reason}")
