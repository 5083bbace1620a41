"""The identity of a track: a 128-bit BLAKE2b hash of the audio payload of its file.

What programs for tags write (text, pictures, padding, and offsets that depend on these) is left out
for each format, so that moving, renaming and retagging do not change the identity. The audio is not
decoded, and no library decides what the payload is: the identity of rated tracks must not depend on
the version of a demuxer.

| format | hashed |
|---|---|
| mp3, aac (ADTS) | from the first frame up to the ID3v1, APEv2 and Lyrics3 tags at the end |
| flac | the frames, after all metadata blocks |
| ogg (vorbis, opus, flac, speex) | packets, without page headers and comment packets |
| m4a, mp4 | the contents of every `mdat` box |
| wav | the `fmt ` and `data` chunks |
| aiff | the `COMM` and `SSND` chunks |
| wavpack | all blocks, up to the tags at the end |
| ape | everything up to the tags at the end |
| musepack 7 | everything up to the tags at the end, except the gain in the header |
| musepack 8 | the stream header and the audio packets |
| wma | the packets of the data object |
| dsf, dff, tta, tak, mka, webm, caf, au, w64, ac3, eac3, dts | what FFmpeg's demuxer finds |
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash import (
    ape_musepack_wavpack,
    demuxed,
    flac,
    mp4_wma_wav_aiff,
    mpeg,
    ogg,
)
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, Kind, end_of_id3

__all__ = ["Kind", "identify"]

PayloadReader = Callable[[ByteReader], Iterator[bytes]]

DIGEST_BYTES = 16


def identify(file: BinaryIO) -> tuple[Kind, TrackId]:
    """Return the format of `file`, detected by its content and not its name, and its identity.

    Raises:
        MediaError: the file is empty, not audio, without audio, or shorter than its headers say.
        OSError: the file cannot be read.
    """
    reader = ByteReader(file)
    if reader.size == 0:
        raise MediaError("empty file")
    kind, read_payload = _detect_format(reader)
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    length = 0
    for chunk in read_payload(reader):
        digest.update(chunk)
        length += len(chunk)
    if length == 0:
        raise MediaError("contains no audio")
    return kind, TrackId(digest.hexdigest())


def _detect_format(reader: ByteReader) -> tuple[Kind, PayloadReader]:
    start = end_of_id3(reader)
    head = reader.peek(start, 12)
    if head[:4] == b"OggS":
        return ogg.codec(reader, start).kind, ogg.payload
    if head[4:8] in mp4_wma_wav_aiff.MP4_FIRST_BOXES:
        return Kind.MP4, mp4_wma_wav_aiff.mp4_payload
    if found := _MAGIC.get((head[:4], head[8:])) or _MAGIC.get((head[:4], b"")):
        return found
    if head[:3] == b"MP+":  # followed by the version
        return Kind.MUSEPACK, ape_musepack_wavpack.musepack_7_payload
    if head.startswith(_DEMUXED):
        return Kind.OTHER, demuxed.payload
    kind = mpeg.kind_at(reader, start)
    if kind is None:
        raise MediaError("not audio: unknown format")
    return kind, mpeg.payload


_DEMUXED = (
    b"DSD ", b"FRM8", b"TTA1", b"tBaK", b"\x1aE\xdf\xa3", b"caff", b".snd", b"riff", b"\x0bw",
    b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8",
)  # fmt: skip
"""The first bytes of the formats of `demuxed`, in the order of its table."""

_ASF_HEADER = mp4_wma_wav_aiff.ASF_HEADER
_MAGIC: Mapping[tuple[bytes, bytes], tuple[Kind, PayloadReader]] = {
    (b"fLaC", b""): (Kind.FLAC, flac.payload),
    (b"wvpk", b""): (Kind.WAVPACK, ape_musepack_wavpack.wavpack_payload),
    (b"MAC ", b""): (Kind.MONKEYS, ape_musepack_wavpack.ape_payload),
    (b"MPCK", b""): (Kind.MUSEPACK, ape_musepack_wavpack.musepack_8_payload),
    (_ASF_HEADER[:4], _ASF_HEADER[8:12]): (Kind.WMA, mp4_wma_wav_aiff.asf_payload),
    (b"RIFF", b"WAVE"): (Kind.WAV, mp4_wma_wav_aiff.wav_payload),
    (b"RF64", b"WAVE"): (Kind.WAV, mp4_wma_wav_aiff.wav_payload),
    (b"FORM", b"AIFF"): (Kind.AIFF, mp4_wma_wav_aiff.aiff_payload),
    (b"FORM", b"AIFC"): (Kind.AIFF, mp4_wma_wav_aiff.aiff_payload),
}
"""By bytes 0 to 4 and 8 to 12, the latter empty where any are allowed."""
