"""Modules and chiptunes, each with the least that its player needs."""

import struct
from collections.abc import Mapping
from pathlib import Path

from tests.support.media import age

ROWS, CHANNELS, SAMPLES = 64, 4, 31


def module(title: str) -> bytes:
    """Return a ProTracker module: one sample, played at every eighth row."""
    wave = bytes(range(128)) * 4
    samples = b"".join(
        struct.pack(">22sHBBHH", b"", *((len(wave) // 2, 0, 64, 0, 1) if number == 0 else [0] * 5))
        for number in range(SAMPLES)
    )
    note, silence = b"\x01\xac\x10\x00" + bytes(4 * (CHANNELS - 1)), bytes(4 * CHANNELS)
    pattern = b"".join(note if row % 8 == 0 else silence for row in range(ROWS))
    order = bytes([1, 127]) + bytes(128)
    return title.encode().ljust(20, b"\0") + samples + order + b"M.K." + pattern + wave


def sid(tunes: int, title: str) -> bytes:
    """Return a PSID file of several silent tunes, for the sound chip of the C64."""
    load = 0x1000
    header = struct.pack(">4s7HI", b"PSID", 2, 0x7C, load, load, load + 6, tunes, 1, 0)
    names = struct.pack(">32s32s32s", title.encode(), b"Composer", b"1990")
    code = bytes([0xA9, 0x0F, 0x8D, 0x18, 0xD4, 0x60, 0x60])  # set the volume; return
    return header + names + bytes(6) + code


def nsf(tunes: int, title: str) -> bytes:
    """Return an NSF file of several silent tunes, for the sound chip of the NES."""
    header = struct.pack("<5s3B3H", b"NESM\x1a", 1, tunes, 1, 0x8000, 0x8000, 0x8001)
    names = struct.pack("32s32s32s", title.encode(), b"Composer", b"1990")
    return header + names + struct.pack("<H8xH6x", 16666, 20000) + b"\x60\x60"  # return


FILES: Mapping[str, bytes] = {
    "tunes/a.mod": module("Module"),
    "tunes/B.MOD": module("Upper case"),
    "tunes/one.nsf": nsf(1, "One tune"),
    "tunes/two.nsf": nsf(2, "Two tunes"),
    "tunes/three.sid": sid(3, "Three tunes"),
}


def write_tunes(music: Path) -> None:
    """Write `FILES`."""
    for uri, data in FILES.items():
        path = music / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        age(path)
