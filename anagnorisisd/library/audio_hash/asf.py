"""ASF (wma): objects, of which one holds the packets of audio; tags lie in the header before it."""

from collections.abc import Iterator

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, truncated

HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
OBJECT_HEAD_BYTES = 24
FILE_ID_BYTES = 16
"""What follows the head of the data object: an identity of the file, not of the sound."""


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield the count of packets and the packets."""
    offset = 0
    while len(head := source.peek(offset, OBJECT_HEAD_BYTES)) == OBJECT_HEAD_BYTES:
        size = int.from_bytes(head[16:], "little")
        if head[:16] == DATA and size == 0:  # a stream that was recorded: up to the end
            size = source.size - offset
        if size < OBJECT_HEAD_BYTES:
            raise MediaError("damaged: an object of an impossible size")
        if offset + size > source.size:
            raise truncated(offset + size, source.size)
        if head[:16] == DATA:
            yield from source.span(offset + OBJECT_HEAD_BYTES + FILE_ID_BYTES, offset + size)
        offset += size
