"""FLAC: metadata blocks, then frames.

STREAMINFO, the first block, says how many samples there are; the last frame says, in its header,
with which sample it begins. If the two do not meet, the end of the file is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader
from anagnorisisd.library.audio_hash.mpeg import end_of_audio, skip_id3

LAST_BLOCK = 0x80
STREAMINFO_BYTES = 34
TAIL_BYTES = 256 * 1024
"""The last frame is looked for in here; the largest usual ones have a tenth of it."""
LONGEST_HEADER_BYTES = 16


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield the frames: what lies between the last metadata block and foreign tags at the end.

    Raises:
        MediaError: the end of the file is missing.
    """
    start, end = _end_of_blocks(source), end_of_audio(source)
    _check_end(source, start, end)
    yield from source.span(start, end)


def _end_of_blocks(source: ByteReader) -> int:
    offset = skip_id3(source) + 4
    while True:
        head = source.take(offset, 4)
        offset += 4 + int.from_bytes(head[1:], "big")
        if head[0] & LAST_BLOCK:
            return offset


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a frame begins and ends, in samples."""

    first: int
    end: int


def _check_end(source: ByteReader, start: int, end: int) -> None:
    info = source.peek(skip_id3(source) + 8, STREAMINFO_BYTES)
    samples = int.from_bytes(info[13:18], "big") & 0xF_FFFF_FFFF
    if len(info) < STREAMINFO_BYTES or not samples:
        return  # an encoder that wrote into a pipe does not know
    tail = source.peek(max(start, end - TAIL_BYTES), min(TAIL_BYTES, end - start))
    last = _last_frame(tail, int.from_bytes(info[:2], "big"), samples)
    if last and last.end < samples:
        raise MediaError(f"truncated: it ends at sample {last.end} of {samples}")


def _last_frame(tail: bytes, block: int, samples: int) -> _Frame | None:
    offset = len(tail)
    while (offset := tail.rfind(b"\xff", 0, offset)) >= 0:
        frame = _frame(tail[offset : offset + LONGEST_HEADER_BYTES], block)
        if frame and frame.first < samples:
            return frame
    return None


def _frame(head: bytes, block: int) -> _Frame | None:
    """Read the header of a frame; `None` where there is none. `block` is the fixed block size."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15:
        return None
    number, at = _coded_number(head)
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    rate_bytes = {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    check_at = at + size_bytes + rate_bytes
    if number is None or check_at >= len(head) or _crc8(head[:check_at]) != head[check_at]:
        return None
    size = _block_size(size_code, int.from_bytes(head[at : at + size_bytes], "big"))
    first = number if head[1] & 1 else number * block
    return _Frame(first, first + size)


def _coded_number(head: bytes) -> tuple[int | None, int]:
    """Return the number coded as in UTF-8 from the fifth byte on, and where it ends."""
    lead = head[4]
    length = 8 - (lead ^ 0xFF).bit_length() if lead & 0x80 else 0
    if length in {1, 8} or 4 + max(1, length) > len(head):
        return None, 4
    number = lead & (0x7F >> length)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    return number, 4 + max(1, length)


def _block_size(code: int, given: int) -> int:
    if code in {6, 7}:
        return given + 1
    return 192 if code == 1 else 576 << (code - 2) if code <= 5 else 256 << (code - 8)


def _crc8(data: bytes) -> int:
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x07 if remainder & 0x80 else 0)) & 0xFF
    return remainder
