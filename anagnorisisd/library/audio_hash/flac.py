"""FLAC: metadata blocks, then frames.

STREAMINFO, the first block, gives the number of samples; the header of each frame gives the number
of its first sample. If the last frame ends before the last sample, the file is truncated.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import (
    ByteReader,
    end_of_id3,
    start_of_appended_tags,
)

LAST_BLOCK = 0x80
STREAMINFO_BYTES = 34
TAIL_BYTES = 256 * 1024
"""Where the last frame is searched, at the end of the file. Large frames have a tenth of it."""
MAX_HEADER_BYTES = 16


def payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the frames: all between the last metadata block and tags at the end.

    Raises:
        MediaError: the file is truncated.
    """
    start, end = _end_of_metadata(reader), start_of_appended_tags(reader)
    _check_end(reader, start, end)
    yield from reader.span(start, end)


def _end_of_metadata(reader: ByteReader) -> int:
    offset = end_of_id3(reader) + 4
    while True:
        header = reader.take(offset, 4)
        offset += 4 + int.from_bytes(header[1:], "big")
        if header[0] & LAST_BLOCK:
            return offset


@dataclass(frozen=True, slots=True)
class _Frame:
    """The samples of a frame: `start` up to, but not including, `end`."""

    start: int
    end: int


def _check_end(reader: ByteReader, start: int, end: int) -> None:
    info = reader.peek(end_of_id3(reader) + 8, STREAMINFO_BYTES)
    samples = int.from_bytes(info[13:18], "big") & 0xF_FFFF_FFFF
    if len(info) < STREAMINFO_BYTES or not samples:
        return  # unknown to an encoder that writes to a pipe
    tail = reader.peek(max(start, end - TAIL_BYTES), min(TAIL_BYTES, end - start))
    last = _last_frame(tail, int.from_bytes(info[:2], "big"), samples)
    if last and last.end < samples:
        raise MediaError(f"truncated: ends at sample {last.end} of {samples}")


def length(reader: ByteReader) -> tuple[int, int]:
    """Return the samples up to the end of the last frame and the sample rate; zeros if unknown."""
    info = reader.peek(end_of_id3(reader) + 8, STREAMINFO_BYTES)
    if len(info) < STREAMINFO_BYTES:
        return 0, 0
    start, end = _end_of_metadata(reader), start_of_appended_tags(reader)
    samples = int.from_bytes(info[13:18], "big") & 0xF_FFFF_FFFF
    tail = reader.peek(max(start, end - TAIL_BYTES), min(TAIL_BYTES, end - start))
    block_size = int.from_bytes(info[:2], "big")
    last = _last_frame(tail, block_size, samples or 1 << 36)
    if last and not samples and not _follows_another(tail, block_size, last):
        return 0, 0  # bytes that look like the header of a frame
    return last.end if last else samples, sample_rate(info)


def sample_rate(info: bytes) -> int:
    """Return the sample rate in STREAMINFO, in hertz."""
    return int.from_bytes(info[10:13], "big") >> 4


def _follows_another(tail: bytes, block_size: int, frame: _Frame) -> bool:
    if frame.start == 0:
        return True
    before = _last_frame(tail, block_size, frame.start)
    return before is not None and before.end == frame.start


def _last_frame(tail: bytes, block_size: int, samples: int) -> _Frame | None:
    offset = len(tail)
    while (offset := tail.rfind(b"\xff", 0, offset)) >= 0:
        frame = _frame(tail[offset : offset + MAX_HEADER_BYTES], block_size)
        if frame and frame.start < samples:
            return frame
    return None


def _frame(header: bytes, block_size: int) -> _Frame | None:
    """Parse the header of a frame; `None` if it is none. `block_size` is the one in STREAMINFO."""
    if len(header) < 6 or header[1] & 0xFE != 0xF8 or header[3] & 1:
        return None
    size_code, rate_code = header[2] >> 4, header[2] & 15
    if size_code == 0 or rate_code == 15:
        return None
    number, at = _utf8_number(header)
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    rate_bytes = {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    crc_at = at + size_bytes + rate_bytes
    if number is None or crc_at >= len(header) or _crc8(header[:crc_at]) != header[crc_at]:
        return None
    size = _block_size(size_code, int.from_bytes(header[at : at + size_bytes], "big"))
    # With a variable block size, the number is that of a sample, else that of a frame.
    start = number if header[1] & 1 else number * block_size
    return _Frame(start, start + size)


def _utf8_number(header: bytes) -> tuple[int | None, int]:
    """Return the number from the fifth byte on, encoded like UTF-8, and the offset after it."""
    lead = header[4]
    length = 8 - (lead ^ 0xFF).bit_length() if lead & 0x80 else 0
    if length in {1, 8} or 4 + max(1, length) > len(header):
        return None, 4
    number = lead & (0x7F >> length)
    for byte in header[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    return number, 4 + max(1, length)


def _block_size(code: int, explicit: int) -> int:
    if code in {6, 7}:
        return explicit + 1
    return 192 if code == 1 else 576 << (code - 2) if code <= 5 else 256 << (code - 8)


def _crc8(data: bytes) -> int:
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x07 if remainder & 0x80 else 0)) & 0xFF
    return remainder
