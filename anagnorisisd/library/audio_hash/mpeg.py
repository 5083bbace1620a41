"""MPEG audio frames: MP3, and AAC in ADTS; and the duration of such a file, by counting them.

An MP3 of variable bit rate without a Xing or VBRI header, and any AAC in ADTS, does not contain its
duration. An estimate from the bit rate of the first frame can be wrong by a factor of several.
An MP3 with such a header may be shorter than it says: truncated, or cut by a program that left it.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import BinaryIO

from anagnorisisd.library.audio_hash.byte_reader import (
    ByteReader,
    Kind,
    end_of_id3,
    start_of_appended_tags,
    truncated,
)

SEARCH_BYTES = 128 * 1024
"""How far after the tags the first frame is searched: some files have padding there."""

CONSECUTIVE_FRAMES = 3
"""The number of frames in a row that tell a frame from bytes that only look like one."""

XING_SIZE_TOLERANCE = 0.98
"""Some old encoders include a tag or the last frame in the size in the Xing header."""

_SAMPLE_RATES = (44100, 48000, 32000)
_BITRATES = {
    # (MPEG 1, layer): kbit/s by index 1 to 14
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

FRAME_HEADER_BYTES = 7
MAX_FRAMES = 200_000
"""More than an hour. The duration of the rest is extrapolated from the bit rate so far."""

DURATION_HEADERS = (b"Xing", b"Info", b"VBRI")
ADTS_SAMPLE_RATES = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000,
)  # fmt: skip


def payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield everything from the first frame up to the tags at the end."""
    end = start_of_appended_tags(reader)
    found = first_frame(reader, end_of_id3(reader))
    if found is None:
        return
    _, start = found
    _check_xing(reader, start, end)
    yield from reader.span(start, end)


def kind_at(reader: ByteReader, start: int) -> Kind | None:
    """Return the format of the frames from `start` on, `None` if there are none."""
    found = first_frame(reader, start)
    return found[0] if found else None


def first_frame(reader: ByteReader, start: int) -> tuple[Kind, int] | None:
    """Return the format and the offset of the first frame from `start` on."""
    window = reader.peek(start, SEARCH_BYTES)
    at_end = start + len(window) >= reader.size
    offset = window.find(b"\xff")
    while offset >= 0:
        for kind, frame_bytes in ((Kind.AAC, adts_frame_bytes), (Kind.MP3, mp3_frame_bytes)):
            if _are_frames(window, offset, frame_bytes, at_end=at_end):
                return kind, start + offset
        offset = window.find(b"\xff", offset + 1)
    return None


def _are_frames(
    window: bytes, offset: int, frame_bytes: Callable[[bytes], int], *, at_end: bool
) -> bool:
    """Return whether frames follow one another from `offset` on; fewer suffice at the end."""
    for index in range(CONSECUTIVE_FRAMES):
        header = window[offset : offset + 7]
        if index and len(header) < 7:
            return at_end
        size = frame_bytes(header)
        if not size:
            return index > 0 and at_end and header[:3] in {b"TAG", b"APE", b"LYR"}
        offset += size
    return True


def adts_frame_bytes(header: bytes) -> int:
    """Return the length of an ADTS frame, 0 if this is none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    if (header[2] >> 2 & 15) > 12:  # an unknown sample rate
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length >= 7 else 0


def mp3_frame_bytes(header: bytes) -> int:
    """Return the length of an MPEG audio frame, 0 if this is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate_index in {0, 15} or rate_index == 3:
        return 0
    mpeg1 = version == 3
    rate = _SAMPLE_RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _BITRATES[mpeg1, layer][bitrate_index - 1] * 1000
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    return (144 if mpeg1 or layer == 2 else 72) * bits // rate + padding


def mp3_frame_seconds(header: bytes) -> float:
    """Return the duration of a frame whose length is not 0."""
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate = _SAMPLE_RATES[header[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
    return samples / rate


def _check_xing(reader: ByteReader, start: int, end: int) -> None:
    """Check that an MP3 is not shorter than the size in its Xing header, if it has one.

    Raises:
        MediaError: the file is truncated.
    """
    header = reader.peek(start, 64)
    xing_at = max(header.find(b"Xing"), header.find(b"Info"))
    if xing_at < 0:
        return
    flags = int.from_bytes(header[xing_at + 4 : xing_at + 8], "big")
    if not flags & 2:
        return
    size_at = xing_at + 8 + (4 if flags & 1 else 0)
    size = int.from_bytes(header[size_at : size_at + 4], "big")
    if end - start < size * XING_SIZE_TOLERANCE:
        raise truncated(start + size, reader.size)


def duration(file: BinaryIO, kind: Kind) -> tuple[float | None, bool]:
    """Return the duration of the frames in seconds, and whether the file has a header with it.

    Raises:
        MediaError: the file has too many tags.
        OSError: the file cannot be read.
    """
    reader = ByteReader(file)
    found = first_frame(reader, end_of_id3(reader))
    if found is None:
        return None, False
    has_header = any(name in reader.peek(found[1], 64) for name in DURATION_HEADERS)
    end = start_of_appended_tags(reader)
    return _sum_frames(reader, found[1], end, kind), has_header


def _sum_frames(reader: ByteReader, start: int, end: int, kind: Kind) -> float | None:
    seconds, offset, window_start, window = 0.0, start, start, b""
    for _ in range(MAX_FRAMES):
        if offset >= end:
            return seconds or None
        at = offset - window_start
        if at + FRAME_HEADER_BYTES > len(window):
            window_start, at = offset, 0
            window = reader.peek(offset, min(SEARCH_BYTES, end - offset))
        length, frame_seconds = _frame(window[at : at + FRAME_HEADER_BYTES], kind)
        seconds += frame_seconds
        offset += length or _bytes_to_next_sync(window, at)
    return seconds * (end - start) / (offset - start) or None


def _bytes_to_next_sync(window: bytes, at: int) -> int:
    """Return the distance to the next byte at which a frame can start."""
    following = window.find(b"\xff", at + 1)
    return (following if following >= 0 else max(len(window), at + 1)) - at


@lru_cache(maxsize=4096)  # A file has few different headers, and thousands of frames.
def _mp3_frame(header: bytes) -> tuple[int, float]:
    length = mp3_frame_bytes(header)
    return (length, mp3_frame_seconds(header)) if length else (0, 0.0)


def _frame(header: bytes, kind: Kind) -> tuple[int, float]:
    """Return the length of a frame in bytes and its duration in seconds; zeros if it is none."""
    if kind is Kind.MP3:
        return _mp3_frame(header[:4]) if header[:2] >= b"\xff\xe0" else (0, 0.0)
    length = adts_frame_bytes(header)
    rate = header[2] >> 2 & 15 if length else len(ADTS_SAMPLE_RATES)
    if rate >= len(ADTS_SAMPLE_RATES):
        return 0, 0.0
    return length, 1024 * ((header[6] & 3) + 1) / ADTS_SAMPLE_RATES[rate]
