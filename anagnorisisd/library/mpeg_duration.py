"""How long MPEG audio without a header is: its frames are counted.

An mp3 of variable bit rate without a Xing or VBRI header, and any aac in ADTS, does not say how
long it is. Whoever concludes it from the first frame's bit rate may be wrong several times over.
"""

from typing import BinaryIO

from anagnorisisd.library.audio_hash import Kind, mpeg
from anagnorisisd.library.audio_hash.byte_reader import ByteReader

HEAD_BYTES = 7
MOST_STEPS = 200_000
"""Frames of more than an hour; what follows is taken to be as dense."""

HEADERS = (b"Xing", b"Info", b"VBRI")
ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


def measured(file: BinaryIO, kind: Kind) -> float | None:
    """Return the seconds that the frames of a file last; `None` if it has a header that says so.

    Raises:
        MediaError: there are more tags than anybody writes.
        OSError: the disk does not give it.
    """
    if kind not in {Kind.MP3, Kind.AAC}:
        return None
    source = ByteReader(file)
    found = mpeg.first_frame(source, mpeg.skip_id3(source))
    if found is None or any(mark in source.peek(found[1], 64) for mark in HEADERS):
        return None
    return _seconds(source, found[1], mpeg.end_of_audio(source), kind)


def _seconds(source: ByteReader, start: int, end: int, kind: Kind) -> float | None:
    seconds, offset, begin, window = 0.0, start, start, b""
    for _ in range(MOST_STEPS):
        if offset >= end:
            return seconds or None
        if offset + HEAD_BYTES > begin + len(window):
            begin, window = offset, source.peek(offset, min(mpeg.SEARCH_BYTES, end - offset))
        length, lasts = _frame(window[offset - begin : offset - begin + HEAD_BYTES], kind)
        seconds += lasts
        offset += length or _to_next_mark(window, offset - begin)
    return seconds * (end - start) / (offset - start) or None


def _to_next_mark(window: bytes, place: int) -> int:
    """Return how many bytes further on the next frame may begin."""
    following = window.find(b"\xff", place + 1)
    return (following if following >= 0 else max(len(window), place + 1)) - place


def _frame(head: bytes, kind: Kind) -> tuple[int, float]:
    """Return how many bytes a frame takes and how many seconds it lasts; zeros if it is none."""
    if kind is Kind.MP3:
        length = mpeg.mp3_length(head)
        return (length, mpeg.mp3_seconds(head)) if length else (0, 0.0)
    length = mpeg.adts_length(head)
    rate = head[2] >> 2 & 15 if length else len(ADTS_RATES)
    if rate >= len(ADTS_RATES):
        return 0, 0.0
    return length, 1024 * ((head[6] & 3) + 1) / ADTS_RATES[rate]
