"""Broken and hostile files, made by arithmetic: every format, damaged in every way we know."""

import os
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from tests.support.damage import of_tiny_parts
from tests.support.media import FORMATS, age, encoded

Made = tuple[str, bytes]
"""An extension and the content."""

BOMB_BYTES = 640 << 20
SILENT_SECONDS = 3600


def write_hostile_files(folder: Path, count: int, seed: int = 1) -> list[str]:
    """Write `count` files of all kinds, and a few large ones; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    healthy = {extension: encoded(extension, 1, 3.0) for extension in FORMATS}
    names = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        extension, content = kind(healthy, chance)
        names.append(f"{number:04} {kind.__name__.strip('_')}.{extension}")
        (folder / names[-1]).write_bytes(content)
    names += [make(folder) for make in LARGE]
    for name in names:
        if (folder / name).is_file():
            age(folder / name)
    return names


Healthy = dict[str, bytes]


def _any(healthy: Healthy, chance: random.Random) -> Made:
    extension = chance.choice(FORMATS)
    return extension, healthy[extension]


def _truncated(healthy: Healthy, chance: random.Random) -> Made:
    extension, content = _any(healthy, chance)
    return extension, content[: int(len(content) * chance.random())]


def _bit_flipped(healthy: Healthy, chance: random.Random) -> Made:
    extension, content = _any(healthy, chance)
    flipped = bytearray(content)
    for _ in range(chance.choice((1, 10, 100, 1000))):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return extension, bytes(flipped)


def _header_of_noise(healthy: Healthy, chance: random.Random) -> Made:
    extension, content = _any(healthy, chance)
    length = chance.randrange(1, 64)
    at = chance.randrange(4, 200)
    return extension, content[:at] + chance.randbytes(length) + content[at + length :]


def _absurd_numbers(healthy: Healthy, chance: random.Random) -> Made:
    """Set a number of the header to the largest or the least."""
    extension, content = _any(healthy, chance)
    length = chance.choice((2, 4, 8))
    at = chance.randrange(8, 120)
    number = chance.choice((b"\xff", b"\0", b"\x7f")) * length
    return extension, content[:at] + number + content[at + length :]


def _absurd_wav(healthy: Healthy, chance: random.Random) -> Made:
    channels, rate, bits = chance.choice(
        ((65535, 48_000, 16), (1, 2**32 - 1, 16), (0, 0, 0), (8, 768_000, 32), (2, 1, 8))
    )
    block = channels * bits // 8 % 65536
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * block % 2**32, block, bits)
    samples = chance.randbytes(100_000)
    data = b"fmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", 2**32 - 1) + samples
    return "wav", b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVE" + data


def _absurd_duration(healthy: Healthy, chance: random.Random) -> Made:
    """Let the fields that tell a duration promise centuries, wherever the format has them."""
    extension, content = _any(healthy, chance)
    for mark, offset, length in (
        (b"mvhd", 20, 4),
        (b"mdhd", 20, 4),
        (b"COMM", 10, 4),
        (b"fLaC", 22, 4),
        (b"wvpk", 12, 4),
        (b"Xing", 8, 4),
        (b"Info", 8, 4),
        (b"OggS", 6, 7),
    ):
        at = content.rfind(mark)
        if at >= 0:
            start = at + offset
            content = content[:start] + b"\xfe" * length + content[start + length :]
    return extension, content


def _wrong_extension(healthy: Healthy, chance: random.Random) -> Made:
    return chance.choice(FORMATS), healthy[chance.choice(FORMATS)]


def _not_audio(healthy: Healthy, chance: random.Random) -> Made:
    contents = (
        b"",
        b"\0" * 10_000,
        chance.randbytes(10_000),
        b"<html><body>404</body></html>",
        b"PK\x03\x04" + chance.randbytes(5_000),
        b"\x7fELF" + chance.randbytes(5_000),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
    )
    return chance.choice(FORMATS), chance.choice(contents)


def _glued(healthy: Healthy, chance: random.Random) -> Made:
    """Put two formats into one file."""
    extension, content = _any(healthy, chance)
    _, other = _any(healthy, chance)
    return extension, content[: chance.randrange(len(content))] + other


def _greedy_tag(healthy: Healthy, chance: random.Random) -> Made:
    """Announce a tag that is much larger than the file."""
    size = bytes([0x7F, 0x7F, 0x7F, chance.randrange(128)])
    frame = b"TIT2" + size + b"\0\0" + b"\3" + b"x" * 100
    return "mp3", b"ID3\4\0\0" + size + frame + healthy["mp3"]


def _silence(healthy: Healthy, chance: random.Random) -> Made:
    """Fill the second half of a file with zeros, or all but the header."""
    extension, content = _any(healthy, chance)
    kept = chance.choice((100, len(content) // 2))
    return extension, content[:kept] + b"\0" * (len(content) - kept)


def _cut_in_the_header(healthy: Healthy, chance: random.Random) -> Made:
    extension = chance.choice(("ogg", "opus", *FORMATS))
    return extension, healthy[extension][: chance.randrange(1, 64)]


def _number_of_the_header(healthy: Healthy, chance: random.Random) -> Made:
    """Set a number of the header to what no reader expects."""
    extension, content = _any(healthy, chance)
    length = chance.choice((4, 8))
    number = chance.choice((0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)) % 256**length
    field = number.to_bytes(length, chance.choice(("little", "big")))
    at = chance.randrange(4, 128)
    return extension, content[:at] + field + content[at + length :]


def _packet_of_no_size(healthy: Healthy, chance: random.Random) -> Made:
    """Let a reader that goes from packet to packet stay where it is."""
    return "mpc", b"MPCK" + chance.choice((b"SH", b"RG", b"XX")) + b"\0" + bytes(41)


def _sizes_beyond_everything(healthy: Healthy, chance: random.Random) -> Made:
    """Give the size of the samples in 64 bits, as no disk has them."""
    sizes = b"ds64" + struct.pack("<I", 28) + b"\xff" * 28
    skipped = chance.choice((b"", b"xxxx\xff\xff\xff\xff"))
    return "wav", b"RF64\xff\xff\xff\xffWAVE" + sizes + skipped + healthy["wav"][12:]


KINDS: Sequence[Callable[[Healthy, random.Random], Made]] = (
    _truncated, _bit_flipped, _header_of_noise, _absurd_numbers, _absurd_wav, _absurd_duration,
    _wrong_extension, _not_audio, _glued, _greedy_tag, _silence, _cut_in_the_header,
    _number_of_the_header, _packet_of_no_size, _sizes_beyond_everything,
)  # fmt: skip


def _hour_of_silence(folder: Path) -> str:
    name = "an hour of silence.flac"
    soundfile.write(folder / name, np.zeros((SILENT_SECONDS * 8_000, 1), np.int16), 8_000)
    return name


def _sparse_wav(folder: Path) -> str:
    """Write gigabytes of zeros that take no space on the disk."""
    name = "gigabytes of nothing.wav"
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 2**31, b"WAVE", b"fmt ", 16, 1, 2, 48_000,
                       192_000, 4, 16, b"data", 2**31 - 36)  # fmt: skip
    with (folder / name).open("wb") as file:
        file.write(head)
        file.truncate(1 << 30)
    return name


def _bomb_of_a_tag(folder: Path) -> str:
    """Write a title of hundreds of megabytes, compressed to less than one."""
    packer = zlib.compressobj(9)
    zeros = b"a" * (1 << 20)
    packed = b"".join(packer.compress(zeros) for _ in range(BOMB_BYTES >> 20)) + packer.flush()
    body = _synchsafe(BOMB_BYTES % 2**28) + packed
    # 0x08: compressed; 0x01: the length it will have comes first
    frame = b"TIT2" + _synchsafe(len(body)) + b"\x00\x09" + body
    name = "bomb of a tag.mp3"
    song = encoded("mp3", 1, 3.0)
    (folder / name).write_bytes(b"ID3\4\0\0" + _synchsafe(len(frame)) + frame + song)
    return name


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _pipe(folder: Path) -> str:
    """Make a pipe into which nobody ever writes."""
    os.mkfifo(folder / "pipe.mp3")
    return "pipe.mp3"


def _preallocated(folder: Path) -> str:
    """Write a song into a file of gigabytes that a program has reserved and not filled."""
    name = "preallocated.wav"
    with (folder / name).open("wb") as file:
        file.write(encoded("wav", 1, 3.0))
        file.truncate(4 << 30)
    return name


def _tiny_parts(name: str, folder: Path) -> str:
    (folder / name).write_bytes(of_tiny_parts(name))
    return name


LARGE: Sequence[Callable[[Path], str]] = (
    _hour_of_silence, _sparse_wav, _bomb_of_a_tag, _pipe, _preallocated,
    partial(_tiny_parts, "chunks before the sound.wav"), partial(_tiny_parts, "blocks.wv"),
)  # fmt: skip
