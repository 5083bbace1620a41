"""Reading a file by positions, with an end that is noticed."""

import os
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from anagnorisisd.errors import MediaError

PIECE_BYTES = 1 << 20

MOST_BYTES = 16 << 30
"""Hours of uncompressed sound in the best quality; what is larger is no music, or mostly a hole."""

MOST_STEPS = 1_000_000
"""How often parts of a file are looked at: each takes microseconds, so all of them take seconds.

Only an ogg stream with a page for every packet comes near: this is enough for three hours of it."""


class Kind(StrEnum):
    """What the bytes of a file are, whatever its name says."""

    MP3 = "mp3"
    AAC = "aac"
    FLAC = "flac"
    OGG_VORBIS = "ogg vorbis"
    OGG_OPUS = "ogg opus"
    OGG_FLAC = "ogg flac"
    OGG_SPEEX = "ogg speex"
    MP4 = "mp4"
    WAV = "wav"
    AIFF = "aiff"
    WAVPACK = "wavpack"
    MONKEYS = "ape"
    MUSEPACK = "musepack"
    WMA = "wma"


class ByteReader:
    """An open file of `size` bytes, of which only so many parts are looked at.

    Raises:
        MediaError: it is larger than any music.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._steps = 0
        self.size = file.seek(0, os.SEEK_END)
        if self.size > MOST_BYTES:
            raise MediaError(f"larger than {MOST_BYTES >> 30} GiB")

    def peek(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; fewer where the file ends, none beyond it.

        Raises:
            MediaError: the file has more parts than any music.
        """
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise MediaError("damaged: it consists of too many parts")
        offset = max(0, offset)
        if offset >= self.size:  # An offset that a header gives may be too large for `seek`.
            return b""
        self._file.seek(offset)
        return self._file.read(max(0, min(length, self.size - offset)))

    def take(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes.

        Raises:
            MediaError: the file ends before.
        """
        data = self.peek(offset, length)
        if len(data) < length:
            raise truncated(offset + length, self.size)
        return data

    def span(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `end`, in pieces.

        Raises:
            MediaError: the file ends before; nothing is yielded then.
        """
        if end > self.size:
            raise truncated(end, self.size)
        for offset in range(start, end, PIECE_BYTES):
            yield self.take(offset, min(PIECE_BYTES, end - offset))


def truncated(expected: int, size: int) -> MediaError:
    """Return the error for a file that is shorter than its headers say."""
    return MediaError(f"truncated: its headers speak of {expected} bytes, the file has {size}")
