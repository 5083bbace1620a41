"""The duration of MPEG audio, by counting frames.

An MP3 of variable bit rate without a Xing or VBRI header, and any AAC in ADTS, does not contain its
duration. An estimate from the bit rate of the first frame can be wrong by a factor of several.
An MP3 with such a header may be shorter than it says: truncated, or cut by a program that left it.
"""

from functools import lru_cache
from typing import BinaryIO

from anagnorisisd.library.audio_hash import Kind, mpeg, outer_tags
from anagnorisisd.library.audio_hash.byte_reader import ByteReader

FRAME_HEADER_BYTES = 7
MAX_FRAMES = 200_000
"""More than an hour. The duration of the rest is extrapolated from the bit rate so far."""

DURATION_HEADERS = (b"Xing", b"Info", b"VBRI")
ADTS_SAMPLE_RATES = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000,
)  # fmt: skip


def measure(file: BinaryIO, kind: Kind) -> tuple[float | None, bool]:
    """Return the duration of the frames in seconds, and whether the file has a header with it.

    Raises:
        MediaError: the file has too many tags.
        OSError: the file cannot be read.
    """
    reader = ByteReader(file)
    found = mpeg.first_frame(reader, outer_tags.end_of_id3(reader))
    if found is None:
        return None, False
    has_header = any(name in reader.peek(found[1], 64) for name in DURATION_HEADERS)
    end = outer_tags.start_of_appended_tags(reader)
    return _sum_frames(reader, found[1], end, kind), has_header


def _sum_frames(reader: ByteReader, start: int, end: int, kind: Kind) -> float | None:
    seconds, offset, window_start, window = 0.0, start, start, b""
    for _ in range(MAX_FRAMES):
        if offset >= end:
            return seconds or None
        at = offset - window_start
        if at + FRAME_HEADER_BYTES > len(window):
            window_start, at = offset, 0
            window = reader.peek(offset, min(mpeg.SEARCH_BYTES, end - offset))
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
    length = mpeg.mp3_frame_bytes(header)
    return (length, mpeg.mp3_frame_seconds(header)) if length else (0, 0.0)


def _frame(header: bytes, kind: Kind) -> tuple[int, float]:
    """Return the length of a frame in bytes and its duration in seconds; zeros if it is none."""
    if kind is Kind.MP3:
        return _mp3_frame(header[:4]) if header[:2] >= b"\xff\xe0" else (0, 0.0)
    length = mpeg.adts_frame_bytes(header)
    rate = header[2] >> 2 & 15 if length else len(ADTS_SAMPLE_RATES)
    if rate >= len(ADTS_SAMPLE_RATES):
        return 0, 0.0
    return length, 1024 * ((header[6] & 3) + 1) / ADTS_SAMPLE_RATES[rate]
