"""Ogg: packets that are divided into pages.

A program that edits tags replaces the comment packet and divides the packets into other pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, Kind, end_of_id3, truncated

CAPTURE_PATTERN = b"OggS"
PAGE_HEADER_BYTES = 27
MAX_PAGE_BYTES = PAGE_HEADER_BYTES + 255 + 255 * 255
FIRST_PAGE_FLAG = 0x02


@dataclass(frozen=True, slots=True)
class Codec:
    """The codec of a logical stream: number of its header packets, and which of them are hashed."""

    kind: Kind
    header_packets: int
    hashed_headers: frozenset[int]


@dataclass(slots=True)
class _Stream:
    """A logical stream, with the index of the header packet that is read next."""

    codec: Codec
    packet: int = 0


def codec(reader: ByteReader, start: int) -> Codec:
    """Return the codec of the first audio stream.

    Raises:
        MediaError: no stream is audio of a known codec.
    """
    offset = start
    while _is_page(page := reader.peek(offset, PAGE_HEADER_BYTES + 255 + 64)):
        if not page[5] & FIRST_PAGE_FLAG:
            break
        body_at = PAGE_HEADER_BYTES + page[26]
        known = _codec_of(page[body_at:])
        if known:
            return known
        offset += body_at + sum(page[PAGE_HEADER_BYTES:body_at])
    raise MediaError("not audio: an Ogg file without Vorbis, Opus, FLAC or Speex")


def payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the packets of all audio streams in order, without their comments.

    Chained streams are all read. After damage (bytes that are no page), the rest of the file is
    yielded as it is: programs that edit tags do not change it.
    """
    offset = end_of_id3(reader)
    streams: dict[bytes, _Stream] = {}
    while (header := reader.peek(offset, PAGE_HEADER_BYTES + 255))[:4] == CAPTURE_PATTERN:
        if not _is_page(header):
            raise truncated(offset + PAGE_HEADER_BYTES, reader.size)
        segments = header[PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + header[26]]
        if len(segments) < header[26]:
            raise truncated(offset + PAGE_HEADER_BYTES + header[26], reader.size)
        start = offset + PAGE_HEADER_BYTES + len(segments)
        body = reader.take(start, sum(segments))
        serial = header[14:18]
        if header[5] & FIRST_PAGE_FLAG and (known := _codec_of(body)):
            streams[serial] = _Stream(known)
        if serial in streams:
            yield from _hashed_parts(streams[serial], segments, body)
        offset = start + len(body)
    yield from reader.span(offset, reader.size)


@dataclass(frozen=True, slots=True)
class Page:
    """The granule position of a page in samples, and the packets that end in it.

    Of the first of these only the part in this page is there.
    """

    serial: bytes
    position: int
    packets: tuple[bytes, ...]


def last_pages(reader: ByteReader, start: int) -> Iterator[Page]:
    """Yield the pages after `start` in which a packet ends."""
    offset = max(0, start)
    offset += max(0, reader.peek(offset, MAX_PAGE_BYTES).find(CAPTURE_PATTERN))
    while _is_page(header := reader.peek(offset, PAGE_HEADER_BYTES + 255)):
        segments = header[PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + header[26]]
        offset += PAGE_HEADER_BYTES + len(segments)
        packets = tuple(_packets(segments, reader.peek(offset, sum(segments))))
        position = int.from_bytes(header[6:14], "little", signed=True)
        if packets and position >= 0:
            yield Page(header[14:18], position, packets)
        offset += sum(segments)


def _packets(segments: bytes, body: bytes) -> Iterator[bytes]:
    start = end = 0
    for segment_bytes in segments:
        end += segment_bytes
        if segment_bytes < 255:
            yield body[start:end]
            start = end


def first_packet(page: bytes) -> tuple[Kind | None, bytes]:
    """Return the codec that the first packet of a page announces, and the packet."""
    packet = page[PAGE_HEADER_BYTES + page[26] :] if _is_page(page) else b""
    known = _codec_of(packet)
    return known.kind if known else None, packet


def _is_page(header: bytes) -> bool:
    """Return whether this is the start of a page with the whole fixed part of its header."""
    return header[:4] == CAPTURE_PATTERN and len(header) >= PAGE_HEADER_BYTES


def _hashed_parts(stream: _Stream, segments: bytes, body: bytes) -> Iterator[bytes]:
    """Yield the parts of a page that are hashed: all but header packets with comments."""
    offset = 0
    for segment_bytes in segments:
        if stream.packet >= stream.codec.header_packets:
            break
        if stream.packet in stream.codec.hashed_headers:
            yield body[offset : offset + segment_bytes]
        offset += segment_bytes
        if segment_bytes < 255:  # A shorter segment ends the packet.
            stream.packet += 1
    yield body[offset:]


def _codec_of(packet: bytes) -> Codec | None:
    """Return the codec by the first packet of a stream, `None` if it is not known."""
    if packet[:7] == b"\x01vorbis":
        return Codec(Kind.OGG_VORBIS, 3, frozenset({0, 2}))
    if packet[:8] == b"OpusHead":
        return Codec(Kind.OGG_OPUS, 2, frozenset({0}))
    if packet[:5] == b"\x7fFLAC":
        return Codec(Kind.OGG_FLAC, 1 + int.from_bytes(packet[7:9], "big"), frozenset())
    if packet[:8] == b"Speex   ":
        return Codec(Kind.OGG_SPEEX, 2, frozenset({0}))
    return None
