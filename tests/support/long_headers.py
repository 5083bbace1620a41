"""Files whose headers promise more audio than follows."""

import struct

from anagnorisisd.library.audio_duration import ASF_PROPERTIES
from tests.support.media import encoded

FACTOR = 4
UNKNOWN = b"\xff" * 4

FORMATS = ("mp3", "ogg", "opus", "m4a", "wav", "aiff", "wv", "wma")
"""A flac that promises more is refused as truncated: its frames are numbered."""


def with_long_header(extension: str, seconds: float) -> bytes:
    """Return a file of `seconds` whose header promises `FACTOR` times as much, or has no end."""
    data = bytearray(encoded(extension, 1, seconds))
    if extension == "mp3":
        _multiply(data, max(data.find(b"Xing"), data.find(b"Info")) + 8, ">I")
    elif extension in {"ogg", "opus"}:
        _multiply(data, data.rfind(b"OggS") + 6, "<Q")
    elif extension == "m4a":
        _multiply(data, data.find(b"mvhd") + 20, ">I")
        _multiply(data, data.find(b"mdhd") + 20, ">I")
    elif extension == "wav":
        size_at = data.find(b"data") + 4
        data[4:8] = data[size_at : size_at + 4] = UNKNOWN
    elif extension == "aiff":
        _multiply(data, data.find(b"COMM") + 10, ">I")
    elif extension == "wv":
        _multiply(data, data.find(b"wvpk") + 12, "<I")
    elif extension == "wma":
        properties = data.find(ASF_PROPERTIES)
        _multiply(data, properties + 64, "<Q")
        _multiply(data, properties + 72, "<Q")
    return bytes(data)


def _multiply(data: bytearray, at: int, form: str) -> None:
    struct.pack_into(form, data, at, struct.unpack_from(form, data, at)[0] * FACTOR)
