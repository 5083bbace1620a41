"""FLAC: metadata blocks, then frames."""

from collections.abc import Iterator

from anagnorisisd.adapters.audio_hash.mpeg import end_of_audio, skip_id3
from anagnorisisd.adapters.audio_hash.source import Source

LAST_BLOCK = 0x80


def payload(source: Source) -> Iterator[bytes]:
    """Yield the frames: what lies between the last metadata block and foreign tags at the end."""
    yield from source.span(_end_of_blocks(source), end_of_audio(source))


def _end_of_blocks(source: Source) -> int:
    offset = skip_id3(source) + 4
    while True:
        head = source.take(offset, 4)
        offset += 4 + int.from_bytes(head[1:], "big")
        if head[0] & LAST_BLOCK:
            return offset
