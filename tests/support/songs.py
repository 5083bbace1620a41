"""Songs of two clearly different kinds, made by arithmetic; untagged, so that only sound tells."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 22_050
SECONDS = 12.0

Samples = NDArray[np.float64]


def calm(seed: int) -> Samples:
    """Return slow chords of pure tones, `[RATE * SECONDS]`."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(RATE * SECONDS)) / RATE
    root = 110.0 * 2 ** (rng.integers(0, 12) / 12)
    song = np.zeros_like(time)
    for bar in range(int(SECONDS // 3) + 1):
        degree = rng.choice([0, 3, 5, 7])
        swell = np.clip(1.5 - np.abs(time - 3 * bar - 1.5), 0, 1)
        for interval in (0, 4, 7, 12):
            pitch = root * 2 ** ((degree + interval) / 12)
            song += swell * np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6))
    return 0.2 * song + rng.normal(0, 1e-4, len(time))


def wild(seed: int) -> Samples:
    """Return fast noisy drums over a distorted bass, `[RATE * SECONDS]`."""
    rng = np.random.default_rng(seed + 10_000)
    time = np.arange(int(RATE * SECONDS)) / RATE
    beat = 60 / rng.uniform(150, 190) / 2
    since_hit = np.mod(time, beat)
    drums = rng.normal(0, 1, len(time)) * np.exp(-since_hit * rng.uniform(20, 40))
    bass = np.sign(np.sin(2 * np.pi * rng.uniform(50, 90) * time))
    return 0.3 * drums + 0.15 * bass


def make_songs(folder: Path, count: int, repeats: int = 1) -> list[str]:
    """Write `count` songs of each kind below `folder` and return their uris.

    They are numbered through as `song 00.flac` ..., so that a name says nothing; even ones are
    calm, odd ones wild. Each is heard `repeats` times in its file: 15 make three minutes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uris = [f"song {number:02}.flac" for number in range(2 * count)]
    for number, uri in enumerate(uris):
        samples = wild(number) if number % 2 else calm(number)
        soundfile.write(folder / uri, np.tile(samples, repeats), RATE)
    return uris


def encode(path: Path, song: Samples) -> Path:
    """Write a song in the format of the path's extension, mp3 with 320 kbit/s."""
    best = {"compression_level": 0.0, "bitrate_mode": "CONSTANT"} if path.suffix == ".mp3" else {}
    samples = (soxr.resample(song, RATE, 2 * RATE).clip(-1, 1) * 32767).astype(np.int16)
    soundfile.write(path, samples, 2 * RATE, **best)
    return path
