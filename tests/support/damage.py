"""Small valid files of every format, damaged by arithmetic."""

import random
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from tests.support.media import FORMATS, READ_ONLY, SAMPLES, encoded

HEADER_BYTES = 128
"""So far from the beginning numbers are replaced, and files are cut at each byte."""
NUMBERS = (0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
TINY_BYTES = 24 << 20


@cache
def healthy() -> Mapping[str, bytes]:
    """Return a small valid file of each format, by extension."""
    made = {extension: encoded(extension, seconds=0.1) for extension in FORMATS}
    read = {f"{number}.{name.rsplit('.')[-1]}": name for number, name in enumerate(READ_ONLY)}
    return made | {key: (SAMPLES / name).read_bytes() for key, name in read.items()}


def cut_files() -> Iterator[tuple[str, bytes]]:
    """Yield files that are cut at each byte of the header, and at a hundred places further on."""
    for name, content in healthy().items():
        further = range(HEADER_BYTES, len(content), max(1, len(content) // 100))
        for length in (*range(HEADER_BYTES), *further):
            yield f"cut to {length}.{name}", content[:length]


def number_files() -> Iterator[tuple[str, bytes]]:
    """Yield files in whose header a number has the least or the largest values, at each place."""
    for name, content in healthy().items():
        for at in range(HEADER_BYTES):
            for number in NUMBERS:
                for order in "<>":
                    field = struct.pack(order + ("I" if number < 2**32 else "Q"), number)
                    damaged = content[:at] + field + content[at + len(field) :]
                    yield f"{order}{number} at {at}.{name}", damaged


def flipped_files(chance: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` files with some flipped bits, most of them near the beginning."""
    names = list(healthy())
    for number in range(count):
        name = names[number % len(names)]
        damaged = bytearray(healthy()[name])
        reach = chance.choice((HEADER_BYTES, 1000, len(damaged)))
        for _ in range(chance.choice((1, 1, 4, 16, 256))):
            damaged[chance.randrange(min(reach, len(damaged)))] ^= 1 << chance.randrange(8)
        yield f"flipped {number}.{name}", bytes(damaged)


def joined_files() -> Iterator[tuple[str, bytes]]:
    """Yield each file with each other behind it, and behind one that is cut."""
    for name, content in healthy().items():
        for other, tail in healthy().items():
            yield f"and {other}.{name}", content + tail
            yield f"cut and {other}.{name}", content[: len(content) // 2] + tail


def damaged_files(chance: random.Random, count: int) -> list[tuple[str, bytes]]:
    """Return at most `count` files of each kind of damage, as names and contents."""
    kinds = (cut_files(), number_files(), flipped_files(chance, count), joined_files())
    files: list[tuple[str, bytes]] = []
    for kind in map(list, kinds):
        files += chance.sample(kind, min(count, len(kind)))
    return files


def of_tiny_parts(name: str) -> bytes:
    """Return a file of millions of parts, each of a few bytes; `name` is one of `TINY`."""
    return TINY[name]()


def _many(part: bytes) -> bytes:
    return part * (TINY_BYTES // len(part))


def _id3(body: bytes) -> bytes:
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + size + body


def _comments() -> bytes:
    count = (16 << 20) // 8
    return struct.pack("<II", 0, count) + (struct.pack("<I", 4) + b"ab=c") * count


def _flac(blocks: bytes) -> bytes:
    flac = healthy()["flac"]
    return flac[:4] + b"\0" + flac[5:42] + blocks + b"\x81\0\0\0" + flac[42:]


def _ape_items() -> bytes:
    item = struct.pack("<II", 1, 0) + b"ab\0x"
    count = (16 << 20) // len(item)
    foot = b"APETAGEX" + struct.pack("<IIII", 2000, count * len(item) + 32, count, 0) + bytes(8)
    return healthy()["mp3"] + item * count + foot


def _wavpack_block() -> bytes:
    return b"wvpk" + struct.pack("<IHBBIIIII", 24, 0x410, 0, 0, 2**32 - 1, 1, 1, 0x1000, 0)


def _endless_wav(middle: bytes, end: bytes = b"") -> bytes:
    wav = healthy()["wav"]
    return wav[:4] + b"\xff" * 4 + wav[8:12] + middle + wav[12:] + end


TINY: Mapping[str, Callable[[], bytes]] = {
    "packets.mpc": lambda: b"MPCK" + _many(b"XX\3"),
    "packets behind a song.mpc": lambda: healthy()["2.mpc"][:-3] + _many(b"XX\3"),
    "blocks.wv": lambda: _many(_wavpack_block()),
    "chunks before the sound.wav": lambda: _endless_wav(_many(b"JUNK\0\0\0\0")),
    "chunks behind the sound.wav": lambda: _endless_wav(b"", _many(b"JUNK\0\0\0\0")),
    "chunks of zeros.wav": lambda: _endless_wav(b"", bytes(TINY_BYTES)),
    "chunks.aiff": lambda: healthy()["aiff"] + _many(b"JUNK\0\0\0\0"),
    "tags.mp3": lambda: _many(_id3(b"")) + healthy()["mp3"],
    "tags at the end.mp3": lambda: healthy()["mp3"] + _many(b"TAG" + bytes(125)),
    "frames of a tag.mp3": lambda: _id3(b"TXXX\0\0\0\4\0\0\3a\0b" * (1 << 20)) + healthy()["mp3"],
    "items of a tag.mp3": _ape_items,
    "boxes.m4a": lambda: healthy()["m4a"] + _many(b"\0\0\0\x08free"),
    "pages.ogg": lambda: healthy()["ogg"] + _many(b"OggS" + bytes(23)),
    "first pages.opus": lambda: _many(b"OggS\0\2" + bytes(20) + b"\1\0") + healthy()["opus"],
    "blocks.flac": lambda: _flac(_many(b"\1\0\0\0")),
    "comments.flac": lambda: _flac(b"\4\xff\xff\xff" + _comments()[: 2**24 - 1]),
    "objects.wma": lambda: healthy()["wma"] + _many(bytes(16) + struct.pack("<Q", 24)),
}
