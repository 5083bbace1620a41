"""MPEG audio frames (mp3, and aac in ADTS), and the tags which others put around them."""

from collections.abc import Callable, Iterator

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader, Kind, truncated

SEARCH_BYTES = 128 * 1024
"""How far after the tags the first frame is looked for; some files have padding there."""

MOST_TAGS = 1000
"""At one end of a file; a program that does not see its own tag adds one each time."""

TOO_MANY_TAGS = "damaged: too many tags one after another"

FRAMES_IN_A_ROW = 3
"""So many frames that follow one another are no accident."""

WRONG_SIZE_TOLERANCE = 0.98
"""Some old encoders count a tag or the last frame in the size that the Xing header gives."""

_RATES = (44100, 48000, 32000)
_BITRATES = {
    # (MPEG 1, layer): kbit/s by index 1 to 14
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def payload(source: ByteReader) -> Iterator[bytes]:
    """Yield everything from the first frame up to the tags at the end."""
    end = end_of_audio(source)
    found = first_frame(source, skip_id3(source))
    if found is None:
        return
    _, start = found
    _check_xing(source, start, end)
    yield from source.span(start, end)


def kind_at(source: ByteReader, start: int) -> Kind | None:
    """Return whether the frames from `start` on are mp3 or aac, or `None` if there are none."""
    found = first_frame(source, start)
    return found[0] if found else None


def skip_id3(source: ByteReader) -> int:
    """Return where the ID3v2 tags at the beginning end."""
    offset = 0
    for _ in range(MOST_TAGS):
        head = source.peek(offset, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            return offset
        offset += 10 + _syncsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)
    raise MediaError(TOO_MANY_TAGS)


def end_of_audio(source: ByteReader) -> int:
    """Return where the ID3v1, APEv2 and Lyrics3 tags at the end begin, in whichever order."""
    end = source.size
    for _ in range(MOST_TAGS):
        shorter = _without_last_tag(source, end)
        if shorter == end:
            return end
        end = shorter
    raise MediaError(TOO_MANY_TAGS)


def _without_last_tag(source: ByteReader, end: int) -> int:
    tail = source.peek(end - 128, 128) if end >= 128 else source.peek(0, end)
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


def first_frame(source: ByteReader, start: int) -> tuple[Kind, int] | None:
    """Return the kind and the place of the first frame from `start` on."""
    window = source.peek(start, SEARCH_BYTES)
    at_end = start + len(window) >= source.size
    offset = window.find(b"\xff")
    while offset >= 0:
        for kind, length in ((Kind.AAC, adts_length), (Kind.MP3, mp3_length)):
            if _frames_follow(window, offset, length, at_end=at_end):
                return kind, start + offset
        offset = window.find(b"\xff", offset + 1)
    return None


def _frames_follow(
    window: bytes, offset: int, length: Callable[[bytes], int], *, at_end: bool
) -> bool:
    for index in range(FRAMES_IN_A_ROW):
        head = window[offset : offset + 7]
        if index and len(head) < 7:
            return at_end
        size = length(head)
        if not size:
            return index > 0 and at_end and head[:3] in {b"TAG", b"APE", b"LYR"}
        offset += size
    return True


def adts_length(head: bytes) -> int:
    """Return the length in bytes of an ADTS frame, 0 when this is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or (head[2] >> 2 & 15) > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0


def mp3_length(head: bytes) -> int:
    """Return the length in bytes of an MPEG audio frame, 0 when this is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate_index in {0, 15} or rate_index == 3:
        return 0
    mpeg1 = version == 3
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _BITRATES[mpeg1, layer][bitrate_index - 1] * 1000
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    return (144 if mpeg1 or layer == 2 else 72) * bits // rate + padding


def mp3_seconds(head: bytes) -> float:
    """Return how long a frame lasts whose length is not 0."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate = _RATES[head[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
    return samples / rate


def _check_xing(source: ByteReader, start: int, end: int) -> None:
    """Compare the length that the Xing header of an mp3 gives with what is there."""
    head = source.peek(start, 64)
    place = max(head.find(b"Xing"), head.find(b"Info"))
    if place < 0:
        return
    flags = int.from_bytes(head[place + 4 : place + 8], "big")
    if not flags & 2:
        return
    size_at = place + 8 + (4 if flags & 1 else 0)
    size = int.from_bytes(head[size_at : size_at + 4], "big")
    if end - start < size * WRONG_SIZE_TOLERANCE:
        raise truncated(start + size, source.size)
