"""WavPack: blocks, each with its size."""

from collections.abc import Iterator

from anagnorisisd.library.audio_hash.byte_reader import ByteReader, truncated
from anagnorisisd.library.audio_hash.mpeg import end_of_audio, skip_id3


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield all blocks up to the tags at the end."""
    start, end = skip_id3(source), end_of_audio(source)
    _check_blocks(source, start, end)
    yield from source.span(start, end)


def _check_blocks(source: ByteReader, start: int, end: int) -> None:
    offset = start
    while offset < end and (head := source.peek(offset, 8))[:4] == b"wvpk":
        offset += 8 + int.from_bytes(head[4:8], "little")
    if offset > end:
        raise truncated(offset, source.size)
