"""WAV and AIFF: chunks of which two matter, the format and the samples."""

from collections.abc import Iterator
from typing import Literal

from anagnorisisd.library.audio_hash.byte_reader import ByteReader, truncated
from anagnorisisd.library.audio_hash.mpeg import skip_id3

UNKNOWN_SIZES = frozenset({0xFFFFFFFF, 0x7FFFFFFF})
"""What a program writes that cannot go back to fill in the size: up to the end."""

MOST_CHUNKS = 10_000
"""What follows so many is not looked at: zeros at the end, in a file of a size that was reserved
and never filled, read as empty chunks."""


def wav_payload(source: ByteReader) -> Iterator[bytes]:
    """Yield the `fmt ` and `data` chunks."""
    return _chosen(source, frozenset({b"fmt ", b"data"}), "little")


def aiff_payload(source: ByteReader) -> Iterator[bytes]:
    """Yield the `COMM` and `SSND` chunks."""
    return _chosen(source, frozenset({b"COMM", b"SSND"}), "big")


def _chosen(
    source: ByteReader, names: frozenset[bytes], order: Literal["little", "big"]
) -> Iterator[bytes]:
    offset = skip_id3(source) + 12
    size_of_data = 0
    for _ in range(MOST_CHUNKS):
        head = source.peek(offset, 8)
        if len(head) < 8:
            break
        name, size = head[:4], int.from_bytes(head[4:], order)
        start = offset + 8
        if name == b"ds64":
            size_of_data = int.from_bytes(source.take(start + 8, 8), "little")
        if size in UNKNOWN_SIZES:
            size = size_of_data or source.size - start
        if name in names:
            if start + size > source.size:
                raise truncated(start + size, source.size)
            yield from source.span(start, start + size)
        offset = start + size + size % 2
