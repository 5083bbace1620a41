"""Monkey's Audio (ape), Musepack (mpc) and WavPack (wv), all with APEv2 tags at the end."""

from collections.abc import Iterator

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import (
    ByteReader,
    end_of_id3,
    start_of_appended_tags,
    truncated,
)

APE_DESCRIPTOR_VERSION = 3980
"""Since version 3.98, a descriptor gives the size of each part of the file."""

MUSEPACK_7_GAIN = slice(12, 20)
"""The gain and peak of title and album in the header of version 7, which ReplayGain programs write
there."""

MUSEPACK_8_AUDIO = frozenset({b"SH", b"AP"})
"""Stream header and audio packets. The others are gain, chapters, seek tables and the like."""

WAVPACK_HEADER_BYTES = 32

MAX_PACKET_SIZE_BYTES = 9
"""The longest field with the size of a packet of Musepack 8."""


def ape_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield everything up to the tags at the end."""
    start, end = end_of_id3(reader), start_of_appended_tags(reader)
    header = reader.peek(start, 36)
    version = int.from_bytes(header[4:6], "little")
    if len(header) == 36 and version >= APE_DESCRIPTOR_VERSION:
        # Descriptor, header, seek table, WAV header, audio in two 32-bit halves, WAV trailer.
        sizes = [int.from_bytes(header[at : at + 4], "little") for at in range(8, 36, 4)]
        expected_end = start + sum(sizes[:5]) + (sizes[5] << 32) + sizes[6]
        if end < expected_end:
            raise truncated(expected_end, reader.size)
    yield from reader.span(start, end)


def musepack_7_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield everything up to the tags at the end, except the gain in the header."""
    start, end = end_of_id3(reader), start_of_appended_tags(reader)
    yield from reader.span(start, min(end, start + MUSEPACK_7_GAIN.start))
    yield from reader.span(start + MUSEPACK_7_GAIN.stop, end)


def musepack_8_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the stream header and the audio packets."""
    for key, start, end in musepack_8_packets(reader):
        if key in MUSEPACK_8_AUDIO:
            yield from reader.span(start, end)


def musepack_8_packets(reader: ByteReader) -> Iterator[tuple[bytes, int, int]]:
    """Yield key, start and end of each packet, which begins with its key and size.

    Raises:
        MediaError: a packet has an impossible size, or the file is truncated.
    """
    end = start_of_appended_tags(reader)
    offset = end_of_id3(reader) + 4
    while offset < end:
        key, size, header_bytes = _packet_header(reader.peek(offset, 2 + MAX_PACKET_SIZE_BYTES))
        if size < header_bytes:
            raise MediaError("damaged: a packet has an impossible size")
        if offset + size > end:
            raise truncated(offset + size, reader.size)
        yield key, offset, offset + size
        if key == b"SE":  # stream end
            return
        offset += size
    raise truncated(end + 1, reader.size)


def _packet_header(data: bytes) -> tuple[bytes, int, int]:
    """Return key, size in bytes including the header, and size of the header of a packet."""
    size = 0
    for length, byte in enumerate(data[2:], start=3):
        size = size << 7 | byte & 0x7F
        if not byte & 0x80:
            return data[:2], size, length
    raise MediaError("damaged: the size of a packet is too long")


def wavpack_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield all blocks up to the tags at the end."""
    start, end = end_of_id3(reader), start_of_appended_tags(reader)
    _check_wavpack_blocks(reader, start, end)
    yield from reader.span(start, end)


def _check_wavpack_blocks(reader: ByteReader, start: int, end: int) -> None:
    for offset, header in wavpack_blocks(reader, start, end):
        block_end = offset + 8 + int.from_bytes(header[4:8], "little")
        if block_end > end:
            raise truncated(block_end, reader.size)


def wavpack_blocks(reader: ByteReader, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield offset and header of each block that begins between two offsets."""
    offset = start
    while offset < end:
        header = reader.peek(offset, WAVPACK_HEADER_BYTES)
        if header[:4] != b"wvpk":
            return
        yield offset, header
        offset += 8 + int.from_bytes(header[4:8], "little")
