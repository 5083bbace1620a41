"""The duration of the audio in a file, by its frames or samples and not by its header.

The header of a truncated or joined file, or of one written to a pipe, can give a longer duration
than its audio has. A play of such a file up to its real end is a full play.

| format | what is counted |
|---|---|
| mp3, aac (ADTS) | the frames, by `mpeg.duration` |
| flac | the samples up to the end of the last frame |
| ogg | the samples up to the last page, or the one before if its position exceeds its packets |
| m4a, mp4 | the samples in the table of the audio track |
| wav, aiff | the bytes of the samples |
| wavpack | the samples of all blocks |
| musepack 8 | the packets of audio |
| wma | the time of the last packet |

Monkey's Audio (ape) and musepack 7 cannot be counted without decoding.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import mul
from typing import BinaryIO

from anagnorisisd.library.audio_hash import (
    Kind,
    ape_musepack_wavpack,
    flac,
    mp4_wma_wav_aiff,
    mpeg,
    ogg,
)
from anagnorisisd.library.audio_hash.byte_reader import (
    ByteReader,
    end_of_id3,
    start_of_appended_tags,
)

TOLERANCE = 0.98
"""Encoders may or may not count their delay, and the count of a long MP3 is an estimate."""

WAVPACK_RATES = (
    6000, 8000, 9600, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000,
    192000,
)  # fmt: skip
WAVPACK_FIRST_OF_CHANNELS = 1 << 11
WAVPACK_DSD = 1 << 31

MUSEPACK_RATES = (44100, 48000, 37800, 32000)
MUSEPACK_FRAME_SAMPLES = 1152

UNCOMPRESSED_AIFC = frozenset({b"NONE", b"sowt", b"twos", b"fl32", b"FL32", b"fl64", b"FL64"})

MAX_MP4_TABLE_BYTES = 1 << 20
"""Most tables have one or two entries, as all frames of audio have the same duration."""

ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""The header object with the size of packets."""
ASF_PACKET_SIZE_AT = 92
ASF_HEADER_BYTES = 64 * 1024
MIN_ASF_PACKET_BYTES = 40

OGG_TAIL_BYTES = 256 * 1024
"""A page has 64 KB at most."""
MIN_OGG_HEADER_BYTES = {
    Kind.OGG_VORBIS: 30,
    Kind.OGG_OPUS: 8,
    Kind.OGG_FLAC: 17 + 18,
    Kind.OGG_SPEEX: 68,
}

Span = tuple[int, int]
"""Start and end offset in a file."""


def measure(file: BinaryIO, kind: Kind, declared: float | None) -> float | None:
    """Return the duration of a file in seconds; `declared` is the one in its header.

    Raises:
        MediaError: the file is damaged.
        OSError: the file cannot be read.
    """
    if kind in {Kind.MP3, Kind.AAC}:
        measured, has_header = mpeg.duration(file, kind)
        if measured and not has_header:
            return measured
    else:
        count = _COUNTERS.get(kind)
        measured = count(ByteReader(file)) if count else None
    if not measured:
        return declared
    return measured if declared is None or measured < TOLERANCE * declared else declared


def _flac(reader: ByteReader) -> float | None:
    samples, rate = flac.length(reader)
    return samples / rate if rate else None


def _ogg(reader: ByteReader) -> float | None:
    pages = list(ogg.last_pages(reader, reader.size - OGG_TAIL_BYTES))
    head = reader.peek(end_of_id3(reader), 255 + 512)
    stream = _OggStream.of(head)
    if stream is None or len(pages) < 2:
        return None
    before, last = pages[-2:]
    if before.serial != head[14:18] or last.serial != head[14:18]:
        return None  # chained or multiplexed streams
    fits = last.position - before.position <= stream.max_samples(last.packets)
    return (last.position if fits else before.position) / stream.rate


@dataclass(frozen=True, slots=True)
class _OggStream:
    """The sample rate of a stream, and the maximum samples of a packet, 0 if packets differ."""

    rate: int
    max_packet_samples: int

    @classmethod
    def of(cls, first_page: bytes) -> "_OggStream | None":
        """Parse the first packet of a stream."""
        kind, packet = ogg.first_packet(first_page)
        little = partial(int.from_bytes, byteorder="little")
        if kind is None or len(packet) < MIN_OGG_HEADER_BYTES[kind]:
            return None
        if kind is Kind.OGG_OPUS:
            return cls(48_000, 0)
        if kind is Kind.OGG_VORBIS:
            found = cls(little(packet[12:16]), (1 << (packet[28] >> 4)) // 2)
        elif kind is Kind.OGG_FLAC:
            found = cls(flac.sample_rate(packet[17:]), int.from_bytes(packet[19:21]))
        else:
            found = cls(little(packet[36:40]), little(packet[56:60]) * little(packet[64:68]))
        return found if found.rate else None

    def max_samples(self, packets: Sequence[bytes]) -> int:
        """Return the maximum number of samples in these packets."""
        if self.max_packet_samples:
            return self.max_packet_samples * len(packets)
        return sum(map(_opus_samples, packets))


def _opus_samples(packet: bytes) -> int:
    """Return the samples at 48 kHz of an Opus packet (RFC 6716, section 3)."""
    if not packet:
        return 0
    mode, code = packet[0] >> 3, packet[0] & 3
    if mode < 12:
        frame = (480, 960, 1920, 2880)[mode & 3]
    elif mode < 16:
        frame = (480, 960)[mode & 1]
    else:
        frame = (120, 240, 480, 960)[mode & 3]
    return frame * ((1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0)


def _wav(reader: ByteReader) -> float | None:
    bytes_per_second = 0
    for name, start, end in mp4_wma_wav_aiff.chunks(reader, "little"):
        if name == b"fmt ":
            bytes_per_second = int.from_bytes(reader.take(start + 8, 4), "little")
        elif name == b"data" and bytes_per_second:
            return (min(end, reader.size) - start) / bytes_per_second
    return None


def _aiff(reader: ByteReader) -> float | None:
    bytes_per_second = 0.0
    for name, start, end in mp4_wma_wav_aiff.chunks(reader, "big"):
        if name == b"COMM":
            bytes_per_second = _aiff_bytes_per_second(reader.peek(start, min(22, end - start)))
        elif name == b"SSND" and bytes_per_second:
            return max(0, min(end, reader.size) - start - 8) / bytes_per_second
    return None


def _aiff_bytes_per_second(head: bytes) -> float:
    """Return the bytes per second by a `COMM` chunk, 0 for compressed audio."""
    if len(head) < 18 or (len(head) >= 22 and head[18:22] not in UNCOMPRESSED_AIFC):
        return 0.0
    channels, bits = int.from_bytes(head[:2], "big"), int.from_bytes(head[6:8], "big")
    # The rate is an 80-bit float: 1 bit for the sign, 15 for the exponent, 64 for the mantissa.
    exponent = (int.from_bytes(head[8:10], "big") & 0x7FFF) - 16383 - 63
    rate = math.ldexp(int.from_bytes(head[10:18], "big"), min(exponent, 0))
    return channels * -(-bits // 8) * rate


def _mp4(reader: ByteReader) -> float | None:
    movie = _box(reader, (0, reader.size), b"moov")
    tracks = mp4_wma_wav_aiff.mp4_boxes(reader, *movie) if movie else ()
    found = (_mp4_track(reader, (start, end)) for kind, start, end in tracks if kind == b"trak")
    return next(filter(None, found), None)


def _mp4_track(reader: ByteReader, track: Span) -> float | None:
    """Return the duration of a track in seconds, `None` if it is not audio."""
    handler = _box(reader, track, b"mdia", b"hdlr")
    header = _box(reader, track, b"mdia", b"mdhd")
    table = _box(reader, track, b"mdia", b"minf", b"stbl", b"stts")
    if not handler or not header or not table or reader.peek(handler[0] + 8, 4) != b"soun":
        return None
    wide = reader.peek(header[0], 1) == b"\1"
    scale = int.from_bytes(reader.peek(header[0] + (20 if wide else 12), 4), "big")
    size = table[1] - table[0] - 8
    if size > MAX_MP4_TABLE_BYTES:
        return None
    entries = reader.peek(table[0] + 8, size)
    numbers = [int.from_bytes(entries[at : at + 4]) for at in range(0, len(entries) - 3, 4)]
    units = sum(map(mul, numbers[::2], numbers[1::2]))  # number of samples, duration of each
    return units / scale if scale else None


def _box(reader: ByteReader, span: Span, *path: bytes) -> Span | None:
    """Return start and end of the contents of the first box at a path of types."""
    for wanted in path:
        boxes = islice(mp4_wma_wav_aiff.mp4_boxes(reader, *span), mp4_wma_wav_aiff.MAX_MP4_BOXES)
        found = next(((start, end) for kind, start, end in boxes if kind == wanted), None)
        if found is None:
            return None
        span = found
    return span


def _wavpack(reader: ByteReader) -> float | None:
    samples, rate = 0, 0
    for _, head in ape_musepack_wavpack.wavpack_blocks(
        reader, end_of_id3(reader), start_of_appended_tags(reader)
    ):
        flags = int.from_bytes(head[24:28], "little")
        index = flags >> 23 & 15
        if index >= len(WAVPACK_RATES) or flags & WAVPACK_DSD:
            return None  # the rate is in a sub-block
        rate = WAVPACK_RATES[index]
        if flags & WAVPACK_FIRST_OF_CHANNELS:
            samples += int.from_bytes(head[20:24], "little")
    return samples / rate if rate else None


def _musepack(reader: ByteReader) -> float | None:
    start = end_of_id3(reader)
    if reader.peek(start, 4) != b"MPCK":
        return None
    rate = samples_per_packet = packets = 0
    for key, begin, end in ape_musepack_wavpack.musepack_8_packets(reader):
        if key == b"SH":
            tail = reader.peek(end - 2, 2)  # rate, bands; channels, mid-side, frames per packet
            rate = MUSEPACK_RATES[tail[0] >> 5 & 3]
            samples_per_packet = MUSEPACK_FRAME_SAMPLES << 2 * (tail[1] & 7)
        packets += key == b"AP" and end > begin
    return packets * samples_per_packet / rate if rate else None


def _wma(reader: ByteReader) -> float | None:
    """Return the send time of the last packet plus its duration."""
    properties = reader.peek(0, ASF_HEADER_BYTES)
    at = properties.find(ASF_PROPERTIES) + ASF_PACKET_SIZE_AT
    size = int.from_bytes(properties[at : at + 4], "little")
    span = next(mp4_wma_wav_aiff.asf_packet_spans(reader), None)
    if at < ASF_PACKET_SIZE_AT or size < MIN_ASF_PACKET_BYTES or span is None:
        return None
    start, end = span
    packet = reader.peek(start + max(0, (end - start) // size - 1) * size, MIN_ASF_PACKET_BYTES)
    if len(packet) < MIN_ASF_PACKET_BYTES:
        return None
    offset = 1 + (packet[0] & 15) if packet[0] & 0x80 else 0  # error correction data
    kinds = packet[offset]
    # Packet size, sequence number and padding come first, of 0, 1, 2 or 4 bytes each.
    offset += 2 + sum((0, 1, 2, 4)[kinds >> shift & 3] for shift in (5, 1, 3))
    sent, lasts = packet[offset : offset + 4], packet[offset + 4 : offset + 6]
    return (int.from_bytes(sent, "little") + int.from_bytes(lasts, "little")) / 1000


_COUNTERS: Mapping[Kind, Callable[[ByteReader], float | None]] = {
    Kind.FLAC: _flac,
    Kind.OGG_VORBIS: _ogg,
    Kind.OGG_OPUS: _ogg,
    Kind.OGG_FLAC: _ogg,
    Kind.OGG_SPEEX: _ogg,
    Kind.MP4: _mp4,
    Kind.WAV: _wav,
    Kind.AIFF: _aiff,
    Kind.WAVPACK: _wavpack,
    Kind.MUSEPACK: _musepack,
    Kind.WMA: _wma,
}
