"""Reading a file by offset, with errors where it is truncated."""

import os
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from anagnorisisd.errors import MediaError

CHUNK_BYTES = 1 << 20

MAX_FILE_BYTES = 16 << 30
"""Hours of uncompressed audio. A larger file is not music, or a sparse file."""

MAX_READS = 1_000_000
"""Each takes microseconds, so all together take seconds.

The largest number is needed by an Ogg stream with a page per packet: this is enough for 3 hours."""


class Kind(StrEnum):
    """The audio format of a file, by its content."""

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
    """Reads a file of `size` bytes, with a limit on the number of reads.

    Raises:
        MediaError: the file is larger than `MAX_FILE_BYTES`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads = 0
        self.size = file.seek(0, os.SEEK_END)
        if self.size > MAX_FILE_BYTES:
            raise MediaError(f"larger than {MAX_FILE_BYTES >> 30} GiB")

    def peek(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes: fewer at the end of the file, none beyond it.

        Raises:
            MediaError: the limit on the number of reads is exceeded.
        """
        self._reads += 1
        if self._reads > MAX_READS:
            raise MediaError("damaged: too many parts")
        offset = max(0, offset)
        if offset >= self.size:  # `seek` fails for very large offsets, as damaged headers give.
            return b""
        self._file.seek(offset)
        return self._file.read(max(0, min(length, self.size - offset)))

    def take(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes.

        Raises:
            MediaError: the file ends before that.
        """
        data = self.peek(offset, length)
        if len(data) < length:
            raise truncated(offset + length, self.size)
        return data

    def span(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `end`, in chunks.

        Raises:
            MediaError: the file ends before `end`; nothing is yielded then.
        """
        if end > self.size:
            raise truncated(end, self.size)
        for offset in range(start, end, CHUNK_BYTES):
            yield self.take(offset, min(CHUNK_BYTES, end - offset))


def truncated(expected: int, size: int) -> MediaError:
    """Return the error for a file that is shorter than its headers say, in bytes."""
    return MediaError(f"truncated: {expected} bytes according to its headers, but {size} found")
