"""MP4, ASF (WMA), WAV and AIFF: files that consist of chunks, each with a type and a size.

MP4 calls them boxes, ASF objects.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, end_of_id3, truncated

MP4_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
MAX_MP4_BOXES = 100_000
"""Enough for 18 hours in fragments of two seconds, which have three boxes each."""

ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
ASF_OBJECT_HEADER_BYTES = 24
ASF_FILE_ID_BYTES = 16
"""After the header of the data object: an identifier of the file, not of the audio."""
ASF_PACKET_COUNT_BYTES = 10
"""After that: the number of packets, and two reserved bytes."""

UNKNOWN_CHUNK_SIZES = frozenset({0xFFFFFFFF, 0x7FFFFFFF})
"""Written by programs that cannot fill in the size later: the chunk ends with the file."""
MAX_CHUNKS = 10_000
"""In WAV and AIFF. In a file whose size was reserved and never filled, zeros at the end look like
empty chunks; they are ignored after so many."""


def mp4_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the contents of every `mdat` box."""
    boxes = list(islice(mp4_boxes(reader, 0, reader.size), MAX_MP4_BOXES + 1))
    if len(boxes) > MAX_MP4_BOXES:
        raise MediaError("damaged: too many boxes")
    if b"moov" not in {box_type for box_type, _, _ in boxes}:
        raise MediaError("truncated: the index of the audio (moov box) is missing")
    for box_type, start, end in boxes:
        if box_type == b"mdat":
            yield from reader.span(start, end)


def mp4_boxes(reader: ByteReader, offset: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, and start and end of the contents, of each box between two offsets.

    Raises:
        MediaError: a box has an impossible size, or the file is truncated.
    """
    while offset < limit and len(header := reader.peek(offset, 16)) >= 8:
        size, start = int.from_bytes(header[:4], "big"), offset + 8
        end = offset + size
        if size == 0:  # up to the end of the file
            end = limit
        elif size == 1:  # a 64-bit size follows
            start, end = offset + 16, offset + int.from_bytes(header[8:16], "big")
        if end < start:
            raise MediaError("damaged: a box has an impossible size")
        if end > limit:
            raise truncated(end, limit)
        yield header[4:8], start, end
        offset = end


def asf_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the number of packets and the packets of the data object."""
    for start, end in asf_packet_spans(reader):
        yield from reader.span(start - ASF_PACKET_COUNT_BYTES, end)


def asf_packet_spans(reader: ByteReader) -> Iterator[tuple[int, int]]:
    """Yield start and end of the packets in each data object.

    Raises:
        MediaError: an object has an impossible size, or the file is truncated.
    """
    offset = 0
    while len(header := reader.peek(offset, ASF_OBJECT_HEADER_BYTES)) == ASF_OBJECT_HEADER_BYTES:
        size = int.from_bytes(header[16:], "little")
        if header[:16] == ASF_DATA and size == 0:  # a recorded stream: up to the end of the file
            size = reader.size - offset
        if size < ASF_OBJECT_HEADER_BYTES:
            raise MediaError("damaged: an object has an impossible size")
        if offset + size > reader.size:
            raise truncated(offset + size, reader.size)
        if header[:16] == ASF_DATA:
            start = offset + ASF_OBJECT_HEADER_BYTES + ASF_FILE_ID_BYTES
            yield start + ASF_PACKET_COUNT_BYTES, offset + size
        offset += size


def wav_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the `fmt ` and `data` chunks."""
    return _chunks(reader, frozenset({b"fmt ", b"data"}), "little")


def aiff_payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the `COMM` and `SSND` chunks."""
    return _chunks(reader, frozenset({b"COMM", b"SSND"}), "big")


def _chunks(
    reader: ByteReader, names: frozenset[bytes], byte_order: Literal["little", "big"]
) -> Iterator[bytes]:
    for name, start, end in chunks(reader, byte_order):
        if name in names:
            if end > reader.size:
                raise truncated(end, reader.size)
            yield from reader.span(start, end)


def chunks(
    reader: ByteReader, byte_order: Literal["little", "big"]
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the contents of each chunk of a WAV or AIFF file.

    The end may lie beyond that of the file.
    """
    offset = end_of_id3(reader) + 12
    data_size_64 = 0
    for _ in range(MAX_CHUNKS):
        header = reader.peek(offset, 8)
        if len(header) < 8:
            break
        name, size = header[:4], int.from_bytes(header[4:], byte_order)
        start = offset + 8
        if name == b"ds64":  # RF64: a WAV of more than 4 GiB
            data_size_64 = int.from_bytes(reader.take(start + 8, 8), "little")
        if size in UNKNOWN_CHUNK_SIZES:
            size = data_size_64 or reader.size - start
        yield name, start, start + size
        offset = start + size + size % 2
