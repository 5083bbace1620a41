"""Tags before and after the audio, which programs add to files of any format."""

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader

MAX_TAGS = 1000
"""At either end of a file. A program that does not recognise its own tag adds one each time."""

TOO_MANY_TAGS = "damaged: too many tags in a row"


def end_of_id3(reader: ByteReader) -> int:
    """Return the offset after the ID3v2 tags at the start of the file."""
    offset = 0
    for _ in range(MAX_TAGS):
        header = reader.peek(offset, 10)
        if header[:3] != b"ID3" or len(header) < 10:
            return offset
        footer_bytes = 10 if header[5] & 0x10 else 0
        offset += 10 + _syncsafe(header[6:10]) + footer_bytes
    raise MediaError(TOO_MANY_TAGS)


def start_of_appended_tags(reader: ByteReader) -> int:
    """Return the offset of the ID3v1, APEv2 and Lyrics3 tags, in any order, at the end."""
    end = reader.size
    for _ in range(MAX_TAGS):
        start = _start_of_last_tag(reader, end)
        if start == end:
            return end
        end = start
    raise MediaError(TOO_MANY_TAGS)


def _start_of_last_tag(reader: ByteReader, end: int) -> int:
    """Return the offset of the tag that ends at `end`; `end` if there is none."""
    tail = reader.peek(end - 128, 128) if end >= 128 else reader.peek(0, end)
    if tail[:3] == b"TAG" and len(tail) == 128:
        return end - 128
    if tail[-32:-24] == b"APETAGEX":
        has_header = tail[-12 + 3] & 0x80
        size = int.from_bytes(tail[-20:-16], "little") + (32 if has_header else 0)
        return end - size if 32 <= size <= end else end
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return max(0, end - int(tail[-15:-9]) - 15)
    return end


def _syncsafe(data: bytes) -> int:
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]
