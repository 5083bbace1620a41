"""Reading a file by offset, and the tags before and after the audio, which any format may have."""

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
MAX_TAGS = 1000
"""At either end of a file. A program that does not recognise its own tag adds one each time."""

TOO_MANY_TAGS = "damaged: too many tags in a row"


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
    OTHER = "other"
    """Read by FFmpeg's demuxer."""


class ByteReader:
    """Reads a file of `size` bytes, with a limit on the number of reads.

    Raises:
        MediaError: the file is larger than `MAX_FILE_BYTES`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
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
        self.file.seek(offset)
        return self.file.read(max(0, min(length, self.size - offset)))

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


def end_of_id3(reader: ByteReader) -> int:
    """Return the offset after the ID3v2 tags at the start of the file."""
    offset = 0
    for _ in range(MAX_TAGS):
        header = reader.peek(offset, 10)
        if header[:3] != b"ID3" or len(header) < 10:
            return offset
        footer_bytes = 10 if header[5] & 0x10 else 0
        offset += 10 + _syncsafe(header[6:10]) + footer_bytes
    raise MediaError(TOO_MANY_TAGS)


def start_of_appended_tags(reader: ByteReader) -> int:
    """Return the offset of the ID3v1, APEv2 and Lyrics3 tags, in any order, at the end."""
    end = reader.size
    for _ in range(MAX_TAGS):
        start = _start_of_last_tag(reader, end)
        if start == end:
            return end
        end = start
    raise MediaError(TOO_MANY_TAGS)


def _start_of_last_tag(reader: ByteReader, end: int) -> int:
    """Return the offset of the tag that ends at `end`; `end` if there is none."""
    tail = reader.peek(end - 128, 128) if end >= 128 else reader.peek(0, end)
    if tail[:3] == b"TAG" and len(tail) == 128:
        return end - 128
    if tail[-32:-24] == b"APETAGEX":
        has_header = tail[-12 + 3] & 0x80
        size = int.from_bytes(tail[-20:-16], "little") + (32 if has_header else 0)
        return end - size if 32 <= size <= end else end
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return max(0, end - int(tail[-15:-9]) - 15)
    return end


def _syncsafe(data: bytes) -> int:
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]
