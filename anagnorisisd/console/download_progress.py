"""Progress of a download: a line per file, updated in place on a terminal."""

from typing import TextIO

MEGABYTE = 1_000_000


class DownloadProgress:
    """Writes the progress of a download to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown = ""

    def __call__(self, name: str, reached: int, total: int) -> None:
        """Show that `reached` of `total` bytes have arrived; if not on a terminal, only the end."""
        complete = reached >= total
        megabytes = f"{reached // MEGABYTE} of {total // MEGABYTE} MB"
        line = f"{name}: {'complete' if complete else megabytes}"
        if line == self._shown or not (complete or self._is_terminal):
            return
        self._shown = line
        start = "\r\x1b[K" if self._is_terminal else ""
        end = "\n" if complete else ""
        self._stream.write(f"{start}{line}{end}")
        self._stream.flush()
