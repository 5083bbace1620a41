"""Four kinds of music, as unlike as ears and embedders could wish.

Each style is a function of a generator of chance and a length; it returns a mono signal. What
one artist does in a style differs from the other by `mood`, 0 or 1.
"""

from collections.abc import Callable

import numpy as np

from tools.demo.sounds import RATE, Signal, kick, noise_hit, pad, pluck, saw, square

Style = Callable[[np.random.Generator, float, int], Signal]

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 5, 4), (5, 3, 0, 4), (0, 4, 5, 3))


class Score:
    """A stretch of silence that sounds are laid into."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.signal: Signal = np.zeros(int(seconds * RATE), np.float32)

    def add(self, sound: Signal, at_seconds: float, gain: float = 1.0) -> None:
        """Mix a sound in; what reaches beyond the end is cut."""
        start = int(at_seconds * RATE)
        stop = min(len(self.signal), start + len(sound))
        if start < stop:
            self.signal[start:stop] += sound[: stop - start] * np.float32(gain)


def triad(scale: tuple[int, ...], root: int, degree: int) -> list[int]:
    """Return the MIDI notes of the triad on a degree of a scale."""
    return [
        root + scale[(degree + step) % len(scale)] + 12 * ((degree + step) // len(scale))
        for step in (0, 2, 4)
    ]


def ambient(rng: np.random.Generator, seconds: float, mood: int) -> Signal:
    """Slow chords without a beat, over a breath of noise."""
    score = Score(seconds)
    scale, root = (MAJOR, MINOR)[mood], int(rng.integers(45, 52))
    bar = float(rng.uniform(5, 8))
    chords = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    for index in range(int(seconds / bar) + 1):
        for note in triad(scale, root, chords[index % 4]):
            score.add(pad(note, bar * 1.6, 0.003 + 0.003 * mood), index * bar, 0.7)
        score.add(pad(root - 12, bar * 1.6, 0.002), index * bar, 0.8)
    breath = np.convolve(rng.normal(0, 1, len(score.signal)), np.ones(64) / 64, mode="same")
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * np.arange(len(breath)) / RATE / 9)
    score.signal += (breath * swell * (0.05 + 0.1 * mood)).astype(np.float32)
    return score.signal


def techno(rng: np.random.Generator, seconds: float, mood: int) -> Signal:
    """A drum on every beat, hats between, and a bass line in sixteenths."""
    score = Score(seconds)
    step = 60 / float(rng.uniform(124, 132) + 12 * mood) / 4
    root = int(rng.integers(31, 38))
    line = [root + int(rng.choice((0, 0, 0, 3, 7, 10, 12))) for _ in range(16)]
    for index in range(int(seconds / step)):
        at = index * step
        if index % 4 == 0:
            score.add(kick(45 + 8 * mood), at, 0.9)
        if index % 4 == 2:
            score.add(noise_hit(0.06, 60, 1), at, 0.35)
        if index % 8 == 4:
            score.add(noise_hit(0.18, 20, 3), at, 0.4)
        if (index * 7 + mood) % 16 not in {0, 6, 11}:
            brightness = 4 + int(10 * (0.5 + 0.5 * np.sin(index / 40)))
            score.add(saw(line[index % 16], step * 0.9, brightness), at, 0.7)
    return score.signal


def chiptune(rng: np.random.Generator, seconds: float, mood: int) -> Signal:
    """Quick arpeggios and a melody of pulse waves, with drums of plain noise."""
    score = Score(seconds)
    step = 60 / float(rng.uniform(140, 165)) / 4
    scale, root = (MAJOR, MINOR)[mood], int(rng.integers(60, 67))
    chords = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    duty = (0.5, 0.125)[mood]
    for index in range(int(seconds / step)):
        at = index * step
        notes = triad(scale, root, chords[index // 16 % 4])
        score.add(square(notes[index % 3] + 12 * (index // 3 % 2), step, duty), at, 0.6)
        if index % 2 == 0 and rng.random() < 0.7:
            score.add(square(int(rng.choice(notes)) + 12, step * 2, 0.25), at, 0.5)
        if index % 4 == 0:
            score.add(square(notes[0] - 24, step * 3, 0.5), at, 0.7)
        if index % 8 == 4:
            score.add(noise_hit(0.1, 35, 1), at, 0.5)
    return score.signal


def folk(rng: np.random.Generator, seconds: float, mood: int) -> Signal:
    """Picked strings, one at a time, with a singable line above."""
    score = Score(seconds)
    step = 60 / float(rng.uniform(84, 104)) / 2
    scale, root = (MAJOR, MINOR)[mood], int(rng.integers(48, 55))
    chords = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    brightness = (0.9, 0.5)[mood]
    for index in range(int(seconds / step)):
        late = float(rng.normal(0, 0.006)) + 0.02
        notes = triad(scale, root, chords[index // 8 % 4])
        picked = (notes[0] - 12, notes[1], notes[2], notes[1] + 12)[index % 4]
        score.add(pluck(picked, 1.6, brightness), index * step + late, 0.7)
        if rng.random() < 0.3:
            score.add(pluck(int(rng.choice(notes)) + 12, 2.2, 1.0), index * step + late, 0.6)
    return score.signal
