"""Ogg: pages of packets. Taggers write other comment packets and cut the pages anew."""

from collections.abc import Iterator
from dataclasses import dataclass

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, Kind, truncated
from anagnorisisd.library.audio_hash.mpeg import skip_id3

MARK = b"OggS"
HEAD_BYTES = 27
FIRST_PAGE = 0x02


@dataclass(frozen=True, slots=True)
class Codec:
    """What lies in a logical stream: how many header packets, and which of them count."""

    kind: Kind
    header_packets: int
    counted: frozenset[int]


@dataclass(slots=True)
class _Stream:
    """How far the header packets of one logical stream have been read."""

    codec: Codec
    packet: int = 0


def codec(source: ByteReader, start: int) -> Codec:
    """Return the codec of the first audio stream.

    Raises:
        MediaError: no stream is audio of a known kind.
    """
    offset = start
    while _is_page(head := source.peek(offset, HEAD_BYTES + 255 + 64)) and head[5] & FIRST_PAGE:
        known = _codec_of(head[HEAD_BYTES + head[26] :])
        if known:
            return known
        offset += HEAD_BYTES + head[26] + sum(head[HEAD_BYTES : HEAD_BYTES + head[26]])
    raise MediaError("not audio: an ogg without vorbis, opus, flac or speex")


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield the packets of all audio streams in order, without their comments.

    What follows damage (something that is no page) is yielded as it is: taggers leave it alone.
    """
    offset = skip_id3(source)
    streams: dict[bytes, _Stream] = {}
    while (head := source.peek(offset, HEAD_BYTES + 255))[:4] == MARK:
        if not _is_page(head):
            raise truncated(offset + HEAD_BYTES, source.size)
        table = head[HEAD_BYTES : HEAD_BYTES + head[26]]
        if len(table) < head[26]:
            raise truncated(offset + HEAD_BYTES + head[26], source.size)
        start = offset + HEAD_BYTES + len(table)
        body = source.take(start, sum(table))
        serial = head[14:18]
        if head[5] & FIRST_PAGE and (known := _codec_of(body)):
            streams[serial] = _Stream(known)
        if serial in streams:
            yield from _counted(streams[serial], table, body)
        offset = start + len(body)
    yield from source.span(offset, source.size)


def _is_page(head: bytes) -> bool:
    """Return whether the fixed part of a page's header is there in whole."""
    return head[:4] == MARK and len(head) >= HEAD_BYTES


def _counted(stream: _Stream, table: bytes, body: bytes) -> Iterator[bytes]:
    """Yield the bytes of a page that count, packet by packet while headers go on."""
    offset = 0
    for lacing in table:
        if stream.packet >= stream.codec.header_packets:
            break
        if stream.packet in stream.codec.counted:
            yield body[offset : offset + lacing]
        offset += lacing
        if lacing < 255:
            stream.packet += 1
    yield body[offset:]


def _codec_of(packet: bytes) -> Codec | None:
    """Return the codec that the first packet of a stream announces."""
    if packet[:7] == b"\x01vorbis":
        return Codec(Kind.OGG_VORBIS, 3, frozenset({0, 2}))
    if packet[:8] == b"OpusHead":
        return Codec(Kind.OGG_OPUS, 2, frozenset({0}))
    if packet[:5] == b"\x7fFLAC":
        return Codec(Kind.OGG_FLAC, 1 + int.from_bytes(packet[7:9], "big"), frozenset())
    if packet[:8] == b"Speex   ":
        return Codec(Kind.OGG_SPEEX, 2, frozenset({0}))
    return None
