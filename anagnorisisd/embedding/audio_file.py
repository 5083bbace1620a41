"""Opening audio files with FFmpeg, through PyAV, so that no file can do harm.

A file may hold anything. Only audio is decoded; pictures and films are not even opened. Nothing but
the file itself is read: no pipe or device, and no other file or address that a playlist names.
"""

import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import av

from anagnorisisd.errors import EmbeddingFailed, MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader
from anagnorisisd.library.audio_hash.mp4_wma_wav_aiff import chunks

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
    _require_file(path)
    options = {**OPEN_OPTIONS, "codec_whitelist": _audio_decoders()}
    container = av.open(_url(path), options=options, **_metadata_options())
    try:
        audio_stream(container).codec_context.thread_count = 1
    except BaseException:
        container.close()
        raise
    return container


def _url(path: str) -> str:
    """Return the URL that FFmpeg opens: that of a WAV file ends with its data chunk.

    FFmpeg looks for further chunks behind it. In a file of which a program has reserved gigabytes
    and filled a few, that takes minutes, as each chunk of zeros has eight bytes.
    """
    with suppress(OSError, MediaError), Path(path).open("rb") as file:
        head = file.read(12)
        if head[:4] in WAV_MAGICS and head[8:] == b"WAVE":
            reader = ByteReader(file)
            for name, _, end in chunks(reader, "little"):
                if name == b"data" and end < reader.size:
                    return f"subfile,,start,0,end,{end},,:{path}"
    return path


def _require_file(path: str) -> None:
    """Refuse pipes and devices, on which FFmpeg would wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise EmbeddingFailed(reason, permanent=False) from None
    try:
        mode = os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(mode):
        raise EmbeddingFailed("is not a regular file", permanent=True)


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
