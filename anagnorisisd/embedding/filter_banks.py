"""Filter banks of the feature embedder, by librosa's definitions.

They are written out here because importing librosa costs seconds (the first time, while numba
compiles, some twenty) and 150 MB in every worker; a test holds them equal to librosa's.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Bank = NDArray[np.float32]
Numbers = NDArray[np.float64]

RATE = 22050
FFT_SIZE = 2048
MEL_BANDS = 64
MFCCS = 20

MEL_HERTZ = 200.0 / 3
"""Slaney's scale: so wide is a mel up to `MEL_CORNER_HERTZ`; above, widths grow."""

MEL_CORNER_HERTZ = 1000.0
MEL_GROWTH = np.log(6.4) / 27
OCTAVE_0_HERTZ = 440.0 / 16
CHROMA_CENTRE_OCTAVE = 5.0
CHROMA_OCTAVES_WIDE = 2.0
SEMITONES_A_TO_C = 3


@dataclass(frozen=True, slots=True)
class Filters:
    """What spectra are multiplied with; `bins` is `FFT_SIZE // 2 + 1`.

    `window [FFT_SIZE]`, `mel [bins, MEL_BANDS]`, `dct [MEL_BANDS, MFCCS]`, `chroma [bins, 12]`.
    """

    window: Bank
    mel: Bank
    dct: Bank
    chroma: Bank


@cache
def filters() -> Filters:
    """Return the filters; computed once in each process, in milliseconds."""
    return Filters(*(np.ascontiguousarray(bank, np.float32) for bank in (
        hann(), mel(), dct(), chroma(),
    )))  # fmt: skip


def hann() -> Numbers:
    """Return the periodic Hann window (`librosa.filters.get_window`)."""
    turns = np.arange(FFT_SIZE, dtype=np.float64) / FFT_SIZE
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * turns))


def mel() -> Numbers:
    """Return triangles of equal area, equally wide on the mel scale (`librosa.filters.mel`)."""
    corner = MEL_CORNER_HERTZ / MEL_HERTZ
    highest = corner + np.log(RATE / 2 / MEL_CORNER_HERTZ) / MEL_GROWTH
    mels = np.linspace(0.0, highest, MEL_BANDS + 2)
    above = MEL_CORNER_HERTZ * np.exp(MEL_GROWTH * (mels - corner))
    edges = np.where(mels < corner, mels * MEL_HERTZ, above)
    bins = np.fft.rfftfreq(FFT_SIZE, 1 / RATE)[:, np.newaxis]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2]))


def dct() -> Numbers:
    """Return the orthonormal cosine transform, type 2 (`scipy.fft.dct`)."""
    places = (np.arange(MEL_BANDS) + 0.5) / MEL_BANDS
    waves: Numbers = np.cos(np.pi * np.outer(places, np.arange(MFCCS))) * np.sqrt(2 / MEL_BANDS)
    waves[:, 0] /= np.sqrt(2)
    return waves


def chroma() -> Numbers:
    """Return which pitch class each bin belongs to, C first (`librosa.filters.chroma`)."""
    hertz = np.arange(1, FFT_SIZE) * RATE / FFT_SIZE
    semitones = 12 * np.log2(hertz / OCTAVE_0_HERTZ)
    semitones = np.concatenate([[semitones[0] - 18.0], semitones])  # bin 0 has no pitch
    widths = np.append(np.maximum(np.diff(semitones), 1.0), 1.0)
    distance = np.remainder(semitones[:, np.newaxis] - np.arange(12) + 6, 12) - 6
    near = np.exp(-0.5 * (2 * distance / widths[:, np.newaxis]) ** 2)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    octaves = (semitones / 12 - CHROMA_CENTRE_OCTAVE) / CHROMA_OCTAVES_WIDE
    weighted: Numbers = near * np.exp(-0.5 * octaves[:, np.newaxis] ** 2)
    from_c: Numbers = np.roll(weighted, -SEMITONES_A_TO_C, axis=1)
    return from_c[: FFT_SIZE // 2 + 1]
