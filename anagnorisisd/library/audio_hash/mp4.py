"""MP4: nested boxes, of which `mdat` holds the audio and `moov` says where."""

from collections.abc import Iterator
from itertools import islice

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, truncated

MOST_BOXES = 100_000
"""Fragments of two seconds have three each: enough for eighteen hours."""

FIRST_TYPES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield the contents of every `mdat`."""
    boxes = list(islice(_top_level(source), MOST_BOXES + 1))
    if len(boxes) > MOST_BOXES:
        raise MediaError("damaged: it consists of too many boxes")
    kinds = {kind for kind, _, _ in boxes}
    if b"moov" not in kinds:
        raise MediaError("truncated: the box that says where the audio lies (moov) is missing")
    for kind, start, end in boxes:
        if kind == b"mdat":
            yield from source.span(start, end)


def _top_level(source: ByteReader) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the contents of each box."""
    offset = 0
    while len(head := source.peek(offset, 16)) >= 8:
        size, start = int.from_bytes(head[:4], "big"), offset + 8
        end = offset + size
        if size == 0:  # up to the end of the file
            end = source.size
        elif size == 1:  # the real size follows, in 64 bits
            start, end = offset + 16, offset + int.from_bytes(head[8:16], "big")
        if end < start:
            raise MediaError("damaged: a box of an impossible size")
        if end > source.size:
            raise truncated(end, source.size)
        yield head[4:8], start, end
        offset = end
