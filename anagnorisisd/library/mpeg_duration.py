"""The duration of MPEG audio without a header that gives it, by counting frames.

An MP3 of variable bit rate without a Xing or VBRI header, and any AAC in ADTS, does not contain its
duration. An estimate from the bit rate of the first frame can be wrong by a factor of several.
"""

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


def measure(file: BinaryIO, kind: Kind) -> float | None:
    """Return the duration of the frames in seconds; `None` if the file has a header with it.

    Raises:
        MediaError: the file has too many tags.
        OSError: the file cannot be read.
    """
    if kind not in {Kind.MP3, Kind.AAC}:
        return None
    reader = ByteReader(file)
    found = mpeg.first_frame(reader, outer_tags.end_of_id3(reader))
    if found is None or any(name in reader.peek(found[1], 64) for name in DURATION_HEADERS):
        return None
    return _sum_frames(reader, found[1], outer_tags.start_of_appended_tags(reader), kind)


def _sum_frames(reader: ByteReader, start: int, end: int, kind: Kind) -> float | None:
    seconds, offset, window_start, window = 0.0, start, start, b""
    for _ in range(MAX_FRAMES):
        if offset >= end:
            return seconds or None
        if offset + FRAME_HEADER_BYTES > window_start + len(window):
            window_start = offset
            window = reader.peek(offset, min(mpeg.SEARCH_BYTES, end - offset))
        at = offset - window_start
        length, frame_seconds = _frame(window[at : at + FRAME_HEADER_BYTES], kind)
        seconds += frame_seconds
        offset += length or _bytes_to_next_sync(window, at)
    return seconds * (end - start) / (offset - start) or None


def _bytes_to_next_sync(window: bytes, at: int) -> int:
    """Return the distance to the next byte at which a frame can start."""
    following = window.find(b"\xff", at + 1)
    return (following if following >= 0 else max(len(window), at + 1)) - at


def _frame(header: bytes, kind: Kind) -> tuple[int, float]:
    """Return the length of a frame in bytes and its duration in seconds; zeros if it is none."""
    if kind is Kind.MP3:
        length = mpeg.mp3_frame_bytes(header)
        return (length, mpeg.mp3_frame_seconds(header)) if length else (0, 0.0)
    length = mpeg.adts_frame_bytes(header)
    rate = header[2] >> 2 & 15 if length else len(ADTS_SAMPLE_RATES)
    if rate >= len(ADTS_SAMPLE_RATES):
        return 0, 0.0
    return length, 1024 * ((header[6] & 3) + 1) / ADTS_SAMPLE_RATES[rate]
