"""Formats without a parser of our own: FFmpeg's demuxer finds the audio, the tags and the duration.

What is hashed is the codec, its parameters and the packets of the first audio stream, so that tags
and other streams do not change the identity. Packets of uncompressed audio are put together, so it
does not depend on their length.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

from anagnorisisd.domain.track import Tags
from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader

CONTAINERS = "ac3,au,caf,dsf,dts,eac3,iff,matroska,tak,tta,w64"
MAX_PACKETS = 5_000_000


def payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield the audio of a file; raises as `identify`."""
    import av  # FFmpeg's libraries are loaded for such files only.
    import av.error

    try:
        with closing(_open(reader.file)) as container:
            stream = _audio_stream(container)
            codec = stream.codec_context
            packets = (bytes(packet) for packet in container.demux(stream))
            first = next(packets, b"")
            if not (first and codec.sample_rate):
                raise MediaError("contains no audio")
            yield f"{codec.name} {codec.sample_rate} {codec.channels}\n".encode()
            yield bytes(codec.extradata or b"")
            yield first
            for count, packet in enumerate(packets):
                if count > MAX_PACKETS:
                    raise MediaError("damaged: too many parts")
                yield packet
    except av.error.FFmpegError as error:
        raise MediaError(f"damaged: {error.strerror}") from None


def read_tags(file: BinaryIO) -> tuple[Tags, float | None]:
    """Return the tags and the duration in seconds; raises what PyAV raises."""
    with closing(_open(file)) as container:
        stream = _audio_stream(container)
        values = {
            name.lower(): value
            for metadata in (stream.metadata, container.metadata)
            for name, value in metadata.items()
        }
        seconds = container.duration / 1e6 if container.duration else None
    year = re.match(r"\d{4}", values.get("date") or values.get("year") or "")
    tags = Tags(
        title=values.get("title") or None,
        artist=values.get("artist") or None,
        album=values.get("album") or None,
        album_artist=values.get("album_artist") or None,
        genre=values.get("genre") or None,
        year=int(year[0]) if year else None,
    )
    return tags, seconds


def _open(file: BinaryIO) -> Any:
    import av

    file.seek(0)
    # FFmpeg reads by Python's file, so that no file can make it open another one.
    return av.open(file, options={"format_whitelist": CONTAINERS})


def _audio_stream(container: Any) -> Any:
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            return stream
    raise MediaError("contains no audio that FFmpeg can decode")
