"""Songs to measure with: three minutes each, synthesised, in the formats that listeners have."""

import os
from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
SECONDS = 180.0
FORMATS = ("mp3", "flac", "ogg", "opus")
EXTENSIONS = {*FORMATS, "m4a", "wav"}
SMALLEST_BYTES = 500_000
"""What is smaller is a jingle."""


def songs(folder: Path, count: int) -> list[Path]:
    """Return `count` songs: the listener's if `ANAGNORISIS_BENCH_MUSIC` names a folder of them."""
    if found := of_listener():
        return found[:: max(1, len(found) // count)][:count]
    return [_written(folder, number) for number in range(count)]


def of_listener() -> list[Path]:
    """Return all songs below `ANAGNORISIS_BENCH_MUSIC`; none if that is not set."""
    own = os.environ.get("ANAGNORISIS_BENCH_MUSIC")
    found = sorted(Path(own).rglob("*")) if own else []
    return [
        path
        for path in found
        if path.suffix[1:] in EXTENSIONS and path.stat().st_size >= SMALLEST_BYTES
    ]


def _written(folder: Path, number: int) -> Path:
    extension = FORMATS[number % len(FORMATS)]
    path = folder / f"{number:03}.{extension}"
    rate = 48_000 if extension == "opus" else RATE
    subtype = "OPUS" if extension == "opus" else None
    with soundfile.SoundFile(
        path, "w", rate, 2, subtype, format="OGG" if extension == "opus" else None
    ) as file:
        for second in range(int(SECONDS)):
            file.write(_second(number, second, rate))
    return path


def _second(
    number: int, second: int, rate: int
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Return a bar of three notes over drums, `[rate, 2]`; each song has its own colours."""
    chance = np.random.default_rng([number, second])
    own = np.random.default_rng(number)
    time = second + np.arange(rate) / rate
    sound = np.zeros(rate)
    for note in own.integers(0, 36, 3) + chance.integers(0, 3):
        for harmonic in range(1, 5):
            pitch = 110 * 2 ** (note / 12) * harmonic
            sound += np.sin(2 * np.pi * pitch * time) / harmonic ** own.uniform(1, 3)
    beats = np.exp(-np.mod(time, own.uniform(0.25, 0.6)) * own.uniform(10, 40))
    sound = 0.1 * sound + own.uniform(0, 0.3) * beats * chance.normal(size=rate)
    return np.repeat(sound[:, np.newaxis], 2, axis=1).astype(np.float32).clip(-1, 1)
