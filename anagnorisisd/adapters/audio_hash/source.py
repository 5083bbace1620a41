"""Reading a file by positions, with an end that is noticed."""

import os
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from anagnorisisd.errors import MediaError

PIECE_BYTES = 1 << 20


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


class Source:
    """An open file of `size` bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def peek(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; fewer where the file ends."""
        self._file.seek(max(0, offset))
        return self._file.read(max(0, length))

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
