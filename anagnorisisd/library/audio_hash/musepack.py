"""Musepack (mpc): version 7 is one stretch, version 8 packets, each with its size."""

from collections.abc import Iterator

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, truncated
from anagnorisisd.library.audio_hash.mpeg import end_of_audio, skip_id3

GAIN_7 = slice(12, 20)
"""Where the header of version 7 has the gain and peak of title and album: a measuring program
writes there, and the sound stays."""

AUDIO_8 = frozenset({b"SH", b"AP"})
"""How to decode, and what; the others are gain, chapters and tables of where things lie."""

LONGEST_SIZE_BYTES = 9


def payload_7(source: ByteReader) -> Iterator[bytes]:
    """Yield everything up to the tags at the end, but for the gain."""
    start, end = skip_id3(source), end_of_audio(source)
    yield from source.span(start, min(end, start + GAIN_7.start))
    yield from source.span(start + GAIN_7.stop, end)


def payload_8(source: ByteReader) -> Iterator[bytes]:
    """Yield the packets of sound and the one that says how to decode them."""
    end = end_of_audio(source)
    offset = skip_id3(source) + 4
    while offset < end:
        key, size, length = _head(source.peek(offset, 2 + LONGEST_SIZE_BYTES))
        if size < length:
            raise MediaError("damaged: a packet of an impossible size")
        if offset + size > end:
            raise truncated(offset + size, source.size)
        if key in AUDIO_8:
            yield from source.span(offset, offset + size)
        if key == b"SE":  # the end of the stream
            return
        offset += size
    raise truncated(end + 1, source.size)


def _head(head: bytes) -> tuple[bytes, int, int]:
    """Return the key of a packet, its size in bytes, and how many of them its head takes.

    The size includes the head: the key and the size itself.
    """
    size = 0
    for length, byte in enumerate(head[2:], start=3):
        size = size << 7 | byte & 0x7F
        if not byte & 0x80:
            return head[:2], size, length
    raise MediaError("damaged: a packet whose size has no end")
