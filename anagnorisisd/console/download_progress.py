"""How far a download has come: a line per file, counted up on a terminal."""

from typing import TextIO

MEGABYTE = 1_000_000


class DownloadProgress:
    """Writes progress to a stream; call it with a file's name and its bytes there and in all."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._counts = stream.isatty()
        self._shown = ""

    def __call__(self, name: str, reached: int, total: int) -> None:
        """Show a file's progress: every megabyte on a terminal, elsewhere only its end."""
        complete = reached >= total
        megabytes = f"{reached // MEGABYTE} of {total // MEGABYTE} MB"
        line = f"{name}: {'complete' if complete else megabytes}"
        if line == self._shown or not (complete or self._counts):
            return
        self._shown = line
        start = "\r\x1b[K" if self._counts else ""
        end = "\n" if complete else ""
        self._stream.write(f"{start}{line}{end}")
        self._stream.flush()
