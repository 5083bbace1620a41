"""MPEG audio frames: MP3, and AAC in ADTS."""

from collections.abc import Callable, Iterator

from anagnorisisd.library.audio_hash.byte_reader import ByteReader, Kind, truncated
from anagnorisisd.library.audio_hash.outer_tags import end_of_id3, start_of_appended_tags

SEARCH_BYTES = 128 * 1024
"""How far after the tags the first frame is searched: some files have padding there."""

CONSECUTIVE_FRAMES = 3
"""The number of frames in a row that tell a frame from bytes that only look like one."""

XING_SIZE_TOLERANCE = 0.98
"""Some old encoders include a tag or the last frame in the size in the Xing header."""

_SAMPLE_RATES = (44100, 48000, 32000)
_BITRATES = {
    # (MPEG 1, layer): kbit/s by index 1 to 14
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def payload(reader: ByteReader) -> Iterator[bytes]:
    """Yield everything from the first frame up to the tags at the end."""
    end = start_of_appended_tags(reader)
    found = first_frame(reader, end_of_id3(reader))
    if found is None:
        return
    _, start = found
    _check_xing(reader, start, end)
    yield from reader.span(start, end)


def kind_at(reader: ByteReader, start: int) -> Kind | None:
    """Return the format of the frames from `start` on, `None` if there are none."""
    found = first_frame(reader, start)
    return found[0] if found else None


def first_frame(reader: ByteReader, start: int) -> tuple[Kind, int] | None:
    """Return the format and the offset of the first frame from `start` on."""
    window = reader.peek(start, SEARCH_BYTES)
    at_end = start + len(window) >= reader.size
    offset = window.find(b"\xff")
    while offset >= 0:
        for kind, frame_bytes in ((Kind.AAC, adts_frame_bytes), (Kind.MP3, mp3_frame_bytes)):
            if _are_frames(window, offset, frame_bytes, at_end=at_end):
                return kind, start + offset
        offset = window.find(b"\xff", offset + 1)
    return None


def _are_frames(
    window: bytes, offset: int, frame_bytes: Callable[[bytes], int], *, at_end: bool
) -> bool:
    """Return whether frames follow one another from `offset` on; fewer suffice at the end."""
    for index in range(CONSECUTIVE_FRAMES):
        header = window[offset : offset + 7]
        if index and len(header) < 7:
            return at_end
        size = frame_bytes(header)
        if not size:
            return index > 0 and at_end and header[:3] in {b"TAG", b"APE", b"LYR"}
        offset += size
    return True


def adts_frame_bytes(header: bytes) -> int:
    """Return the length of an ADTS frame, 0 if this is none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    if (header[2] >> 2 & 15) > 12:  # an unknown sample rate
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length >= 7 else 0


def mp3_frame_bytes(header: bytes) -> int:
    """Return the length of an MPEG audio frame, 0 if this is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate_index in {0, 15} or rate_index == 3:
        return 0
    mpeg1 = version == 3
    rate = _SAMPLE_RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _BITRATES[mpeg1, layer][bitrate_index - 1] * 1000
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    return (144 if mpeg1 or layer == 2 else 72) * bits // rate + padding


def mp3_frame_seconds(header: bytes) -> float:
    """Return the duration of a frame whose length is not 0."""
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate = _SAMPLE_RATES[header[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
    return samples / rate


def _check_xing(reader: ByteReader, start: int, end: int) -> None:
    """Check that an MP3 is not shorter than the size in its Xing header, if it has one.

    Raises:
        MediaError: the file is truncated.
    """
    header = reader.peek(start, 64)
    xing_at = max(header.find(b"Xing"), header.find(b"Info"))
    if xing_at < 0:
        return
    flags = int.from_bytes(header[xing_at + 4 : xing_at + 8], "big")
    if not flags & 2:
        return
    size_at = xing_at + 8 + (4 if flags & 1 else 0)
    size = int.from_bytes(header[size_at : size_at + 4], "big")
    if end - start < size * XING_SIZE_TOLERANCE:
        raise truncated(start + size, reader.size)
