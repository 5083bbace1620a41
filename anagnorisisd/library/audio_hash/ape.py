"""Monkey's Audio (ape): a descriptor that gives the size of every part."""

from collections.abc import Iterator

from anagnorisisd.library.audio_hash.byte_reader import ByteReader, truncated
from anagnorisisd.library.audio_hash.mpeg import end_of_audio, skip_id3

DESCRIBED = 3980
"""From this version (3.98) on there is a descriptor; before, nothing says how long a file is."""


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield everything up to the tags at the end."""
    start, end = skip_id3(source), end_of_audio(source)
    head = source.peek(start, 36)
    if len(head) == 36 and int.from_bytes(head[4:6], "little") >= DESCRIBED:
        # Descriptor, header, seek table, header of the wav, audio in two halves, rest of the wav.
        sizes = [int.from_bytes(head[at : at + 4], "little") for at in range(8, 36, 4)]
        expected = start + sum(sizes[:5]) + (sizes[5] << 32) + sizes[6]
        if end < expected:
            raise truncated(expected, source.size)
    yield from source.span(start, end)
