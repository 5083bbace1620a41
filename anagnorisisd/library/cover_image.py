"""Makes the cover of a file: the first of its pictures that can be decoded, scaled, as a JPEG.

Runs in a confined worker process, as pictures are as untrusted as music. The content tells the
format, never a name or a declared type. FFmpeg's decoders are called directly, without a demuxer,
and refuse a picture of more than `MAX_PIXELS` before they allocate memory for it.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.errors import MediaError
from anagnorisisd.library import cover_pictures
from anagnorisisd.library.file_access import open_regular

log = logging.getLogger(__name__)

MAX_PIXELS = 40_000_000
"""A decompression bomb of a few kilobytes can have billions; a scan of a cover has millions."""

MAX_ATTEMPTS = 6
"""So many pictures of one file are tried."""

JPEG_QUANTISER = "3"
"""1 is the best quality, 31 the worst; at 3 a cover of 512 pixels has about 50 kilobytes."""

BACKGROUND = 255
"""White, behind transparent pictures: JPEG has no transparency."""


@dataclass(frozen=True, slots=True)
class CoverImage:
    """A cover as a JPEG file, with its width and height in pixels."""

    jpeg: bytes
    width: int
    height: int


def make_cover(path: str, pictures: Sequence[str], max_side: int) -> CoverImage | None:
    """Return the cover of the file at `path`, at most `max_side` pixels wide and high.

    Without a usable picture in the file, the files `pictures` are tried in their order. Returns
    `None` if there is no picture that can be decoded.
    """
    for attempt, content in enumerate(_contents(path, pictures)):
        if attempt >= MAX_ATTEMPTS:
            break
        try:
            return _scaled(_decoded(content), max_side)
        except Exception as error:  # PyAV raises more than its own errors on damaged pictures.
            log.debug("a picture cannot be used: %s", error)
    return None


def _contents(path: str, pictures: Sequence[str]) -> Iterator[bytes]:
    """Yield the pictures in the file and those in its folder."""
    try:
        with closing(open_regular(path)) as file:
            embedded = cover_pictures.embedded_pictures(file)
    except Exception as error:
        log.debug("the tags cannot be read: %s", error)
        embedded = []
    yield from embedded
    for picture in pictures:
        try:
            content = cover_pictures.read_picture(picture)
        except (OSError, MediaError) as error:
            log.debug("a picture cannot be read: %s", error)
        else:
            if content is not None:
                yield content


def _decoder(content: bytes) -> str:
    """Return the name of FFmpeg's decoder for a picture."""
    if content.startswith(b"\xff\xd8\xff"):
        return "mjpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    raise MediaError("neither JPEG nor PNG nor WebP")


def _decoded(content: bytes) -> Any:
    """Return the picture as a frame of PyAV.

    Raises:
        MediaError: it is of another format, or empty.
        Exception: it is damaged or too large.
    """
    import av  # FFmpeg's libraries are loaded only here.

    context: Any = av.CodecContext.create(_decoder(content), "r")
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_count = 1
    frames = context.decode(av.Packet(content)) or context.decode(None)
    if not frames:
        raise MediaError("no picture")
    return frames[0]


def _scaled(frame: Any, max_side: int) -> CoverImage:
    """Return a frame as a JPEG that is at most `max_side` wide and high, and never enlarged."""
    import av

    scale = min(1.0, max_side / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    small = frame.reformat(width, height, format="rgba", interpolation="AREA")
    opaque = av.VideoFrame.from_ndarray(_opaque(small.to_ndarray()), format="rgb24")
    return CoverImage(_jpeg(opaque), width, height)


def _opaque(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `[height, width, 3]` from `[height, width, 4]`, on a background."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    blended = rgba[..., :3] * alpha + BACKGROUND * (1 - alpha)
    return np.ascontiguousarray(blended.round().astype(np.uint8))


def _jpeg(frame: Any) -> bytes:
    import av

    context: Any = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.options = {"qmin": JPEG_QUANTISER, "qmax": JPEG_QUANTISER}
    picture = frame.reformat(format="yuvj420p")
    picture.pts = 0
    return b"".join(bytes(packet) for packet in (*context.encode(picture), *context.encode(None)))
