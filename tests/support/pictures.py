"""Small pictures of one colour, in the formats that covers have."""

from fractions import Fraction
from typing import Any

import av
import numpy as np

Colour = tuple[int, int, int]

RED: Colour = (200, 30, 30)
GREEN: Colour = (30, 180, 40)
BLUE: Colour = (30, 40, 190)

ENCODERS = {"jpg": ("mjpeg", "yuvj420p"), "png": ("png", "rgba"), "webp": ("libwebp", "bgra")}


def picture(
    colour: Colour, extension: str = "png", *, width: int = 60, height: int = 60, alpha: int = 255
) -> bytes:
    """Return a picture file."""
    codec, pixel_format = ENCODERS[extension]
    pixels = np.full((height, width, 4), (*colour, alpha), np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format=pixel_format)
    frame.pts = 0
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def colour_of(jpeg: bytes) -> Colour:
    """Return the colour in the middle of a JPEG file."""
    context: Any = av.CodecContext.create("mjpeg", "r")
    pixels = context.decode(av.Packet(jpeg))[0].to_ndarray(format="rgb24")
    red, green, blue = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].tolist()
    return red, green, blue


def is_colour(jpeg: bytes, colour: Colour) -> bool:
    """Return whether a JPEG file is of a colour, as far as the format keeps colours."""
    return bool(np.allclose(colour_of(jpeg), colour, atol=12))
