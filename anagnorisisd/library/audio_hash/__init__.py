"""A track's identity: BLAKE2b, 128 bits, of the audio payload of a file and nothing else.

What taggers write (text, pictures, padding, and the offsets which move with them) is left out,
format by format, so that moving, renaming and retagging never change the identity. Nothing is
decoded, and no library decides what the payload is: the identity of a listener's ratings must
not change with the version of a demuxer.

| format | hashed |
|---|---|
| mp3, aac (ADTS) | from the first frame up to the ID3v1, APEv2 and Lyrics3 tags at the end |
| flac | the frames, after all metadata blocks |
| ogg (vorbis, opus, flac, speex) | packet bytes, without page headers and comment packets |
| m4a, mp4 | the contents of every `mdat` |
| wav | the `fmt ` and `data` chunks |
| aiff | the `COMM` and `SSND` chunks |
| wavpack | all blocks, up to the tags at the end |
| ape | everything up to the tags at the end |
| musepack 7 | everything up to the tags at the end, but for the gain in the header |
| musepack 8 | the packets of sound and the one that says how to decode them |
| wma | the packets of the data object |
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash import (
    ape,
    asf,
    flac,
    mp4,
    mpeg,
    musepack,
    ogg,
    riff_aiff,
    wavpack,
)
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, Kind

__all__ = ["Kind", "identify"]

Reader = Callable[[ByteReader], Iterator[bytes]]

DIGEST_BYTES = 16


def identify(file: BinaryIO) -> tuple[Kind, TrackId]:
    """Return what kind of audio `file` holds, by its bytes and not its name, and its identity.

    Raises:
        MediaError: it is empty, not audio, holds none, or ends before its own headers say so.
        OSError: it cannot be read.
    """
    source = ByteReader(file)
    if source.size == 0:
        raise MediaError("empty file")
    kind, read = _format_of(source)
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    length = 0
    for piece in read(source):
        digest.update(piece)
        length += len(piece)
    if length == 0:
        raise MediaError("no audio in it")
    return kind, TrackId(digest.hexdigest())


def _format_of(source: ByteReader) -> tuple[Kind, Reader]:
    start = mpeg.skip_id3(source)
    head = source.peek(start, 12)
    if head[:4] == b"OggS":
        return ogg.codec(source, start).kind, ogg.payload
    if head[4:8] in mp4.FIRST_TYPES:
        return Kind.MP4, mp4.payload
    if found := _MAGIC.get((head[:4], head[8:])) or _MAGIC.get((head[:4], b"")):
        return found
    if head[:3] == b"MP+":  # its version follows
        return Kind.MUSEPACK, musepack.payload_7
    kind = mpeg.kind_at(source, start)
    if kind is None:
        raise MediaError("not audio: none of the known formats")
    return kind, mpeg.payload


_MAGIC: Mapping[tuple[bytes, bytes], tuple[Kind, Reader]] = {
    (b"fLaC", b""): (Kind.FLAC, flac.payload),
    (b"wvpk", b""): (Kind.WAVPACK, wavpack.payload),
    (b"MAC ", b""): (Kind.MONKEYS, ape.payload),
    (b"MPCK", b""): (Kind.MUSEPACK, musepack.payload_8),
    (asf.HEADER[:4], asf.HEADER[8:12]): (Kind.WMA, asf.payload),
    (b"RIFF", b"WAVE"): (Kind.WAV, riff_aiff.wav_payload),
    (b"RF64", b"WAVE"): (Kind.WAV, riff_aiff.wav_payload),
    (b"FORM", b"AIFF"): (Kind.AIFF, riff_aiff.aiff_payload),
    (b"FORM", b"AIFC"): (Kind.AIFF, riff_aiff.aiff_payload),
}
"""By bytes 0 to 4 and 8 to 12; empty where these say nothing."""
