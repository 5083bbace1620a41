"""Opening audio files with FFmpeg, through PyAV, so that no file can do harm.

A file may hold anything. Only audio is decoded; pictures and films are not even opened. Nothing but
the file itself is read: no pipe or device, and no other file or address that a playlist names.
"""

from functools import cache
from typing import Any

import av

from anagnorisisd.errors import EmbeddingFailed, MediaError
from anagnorisisd.library.audio_hash import Kind, mpeg
from anagnorisisd.library.audio_hash.byte_reader import CHUNK_BYTES, ByteReader, end_of_id3
from anagnorisisd.library.audio_hash.mp4_wma_wav_aiff import chunks
from anagnorisisd.library.file_access import open_regular

CONTAINERS = (
    "aac,ac3,aiff,ape,asf,au,caf,dff,dsf,dts,eac3,flac,iff,matroska,mov,mp3,mpc,mpc8,ogg,"
    "tak,tta,w64,wav,wv"
)
WAV_MAGICS = (b"RIFF", b"RF64")

OPEN_OPTIONS = {"protocol_whitelist": "file,subfile", "format_whitelist": CONTAINERS}
"""A playlist that poses as music must not make FFmpeg read other files or the network."""

PYAV_WITHOUT_METADATA_ERRORS = 19
"""From this major version of PyAV on, undecodable tags are no error, and the option is gone."""


def open_audio(path: str) -> Any:
    """Open an audio file, and return its PyAV container; the caller closes it.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: it is not a regular file, or has no audio stream that can be decoded.
        av.error.FFmpegError: FFmpeg cannot read it.
    """
    options = {**OPEN_OPTIONS, "codec_whitelist": _audio_decoders()}
    container = av.open(_url(path), options=options, **_metadata_options())
    try:
        audio_stream(container).codec_context.thread_count = 1
    except BaseException:
        container.close()
        raise
    return container


def _url(path: str) -> str:
    """Return what FFmpeg is to open: a file, without gigabytes of zeros at its end.

    A program may have reserved them and filled a few. FFmpeg looks for further chunks or frames in
    all of them, eight bytes at a time in a WAV file.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: it is a pipe or a device, on which FFmpeg would wait, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            end = _end_of_sound(ByteReader(file))
    except FileNotFoundError:
        raise
    except MediaError as error:
        raise EmbeddingFailed(f"is {error}", permanent=True) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise EmbeddingFailed(reason, permanent=False) from None
    return path if end is None else f"subfile,,start,0,end,{end},,:{path}"


def _end_of_sound(reader: ByteReader) -> int | None:
    """Return where the sound of a WAV or MP3 file ends, if much follows; else `None`."""
    head = reader.peek(0, 12)
    if head[:4] in WAV_MAGICS and head[8:] == b"WAVE":
        ends = (end for name, _, end in chunks(reader, "little") if name == b"data")
        end = next(ends, reader.size)
    else:
        end = _end_without_zeros(reader)
        if end < reader.size and mpeg.kind_at(reader, end_of_id3(reader)) is not Kind.MP3:
            return None
    return end if end < reader.size else None


def _end_without_zeros(reader: ByteReader) -> int:
    """Return the end of a file without the zeros at its end, if they fill a chunk or more."""
    end, zeros = reader.size, bytes(CHUNK_BYTES)
    if any(reader.peek(end - 16, 16)):  # as in nearly all files
        return end
    while end >= CHUNK_BYTES and reader.peek(end - CHUNK_BYTES, CHUNK_BYTES) == zeros:
        end -= CHUNK_BYTES
    start = max(0, end - CHUNK_BYTES)
    return end if end == reader.size else start + len(reader.peek(start, end - start).rstrip(b"\0"))


@cache
def _audio_decoders() -> str:
    """Return the names of all audio decoders.

    FFmpeg may use no others to detect what a file holds: a cover of a few hundred kilobytes can
    take half a gigabyte to decode.
    """
    names = (name for name in av.codecs_available if _decodes_audio(name))
    return ",".join(sorted(names))


def _decodes_audio(name: str) -> bool:
    try:
        return bool(av.Codec(name, "r").type == "audio")
    except ValueError:  # it only encodes
        return False


def _metadata_options() -> dict[str, Any]:
    """Return the options with which `av.open` accepts tags of any bytes."""
    major = int(av.__version__.partition(".")[0])
    return {} if major >= PYAV_WITHOUT_METADATA_ERRORS else {"metadata_errors": "replace"}


def audio_stream(container: Any) -> Any:
    """Return the first audio stream that can be decoded."""
    streams = container.streams.audio
    if not streams:
        raise EmbeddingFailed("has no audio stream", permanent=True)
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    raise EmbeddingFailed("has audio that FFmpeg has no decoder for", permanent=True)
