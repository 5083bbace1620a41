"""Voices: single notes and drum hits as mono signals, `[n]` floats in -1 to 1, at `RATE`."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.floating[Any]]

RATE = 44_100
A4_HERTZ, A4_MIDI = 440.0, 69


def hertz(midi: int) -> float:
    """Return the frequency of a MIDI note number; 69 is 440 Hz."""
    return float(A4_HERTZ * 2 ** ((midi - A4_MIDI) / 12))


def times(seconds: float) -> Signal:
    """Return the moments of each sample in seconds, `[n]`."""
    return np.arange(int(seconds * RATE), dtype=np.float32) / RATE


def envelope(seconds: float, attack: float, release: float) -> Signal:
    """Return a ramp up, a plateau and a ramp down, `[n]`."""
    at = times(seconds)
    ramp: Signal = np.minimum(at / attack, (seconds - at) / release)
    return np.minimum(ramp, 1)


@lru_cache(maxsize=256)
def pluck(midi: int, seconds: float, brightness: float) -> Signal:
    """A plucked string: harmonics that fade the faster the higher they are."""
    at = times(seconds)
    tone = np.zeros_like(at)
    for harmonic in range(1, 9):
        fade = np.exp(-at * (1.2 + harmonic * (1.5 - brightness)))
        tone += np.sin(2 * np.pi * hertz(midi) * harmonic * at) * fade / harmonic
    return tone * envelope(seconds, 0.003, 0.02) * np.float32(0.4)


@lru_cache(maxsize=256)
def pad(midi: int, seconds: float, detune: float) -> Signal:
    """A soft chord voice: three sines slightly apart, so that they beat slowly."""
    at = times(seconds)
    pitch = hertz(midi)
    tone = sum(
        (np.sin(2 * np.pi * pitch * factor * at) for factor in (1 - detune, 1, 1 + detune)),
        start=np.zeros_like(at),
    )
    return tone * envelope(seconds, seconds * 0.35, seconds * 0.4) * np.float32(0.2)


@lru_cache(maxsize=256)
def square(midi: int, seconds: float, duty: float) -> Signal:
    """A pulse wave, as of an old sound chip."""
    at = times(seconds)
    tone = np.where((hertz(midi) * at) % 1 < duty, 0.3, -0.3)
    return (tone * envelope(seconds, 0.002, seconds * 0.5)).astype(np.float32)


@lru_cache(maxsize=256)
def saw(midi: int, seconds: float, harmonics: int) -> Signal:
    """A saw-tooth limited to a number of harmonics: fewer sound duller."""
    at = times(seconds)
    tone = np.zeros_like(at)
    for harmonic in range(1, harmonics + 1):
        tone += np.sin(2 * np.pi * hertz(midi) * harmonic * at) / harmonic
    return tone * envelope(seconds, 0.004, 0.05) * np.float32(0.3)


@lru_cache(maxsize=8)
def kick(depth_hertz: float = 48.0) -> Signal:
    """A bass drum: a sine that falls quickly to `depth_hertz`."""
    at = times(0.3)
    phase = 2 * np.pi * (depth_hertz * at + 5 * (1 - np.exp(-at * 30)))
    hit: Signal = np.sin(phase) * np.exp(-at * 11)
    return hit


@lru_cache(maxsize=8)
def noise_hit(seconds: float, fade: float, smooth: int) -> Signal:
    """A hat (short, bright) or snare (longer, `smooth` samples averaged)."""
    at = times(seconds)
    noise: Signal = np.random.default_rng(7).uniform(-1, 1, len(at))
    if smooth > 1:
        noise = np.convolve(noise, np.ones(smooth) / smooth, mode="same")
    hit: Signal = noise * np.exp(-at * fade)
    return hit
