"""Spectral features of one window, as librosa defines them.

librosa computes a new spectrogram for almost every feature; here all share one. Importing librosa
would also cost seconds (the first time, while numba compiles, some twenty) and 150 MB in every
worker. Tests compare each function with the function of librosa that its docstring names, within
single precision. Frames are `FFT_SIZE` long, `HOP` apart and centred; a window of `n` samples has
`1 + n // HOP` of them.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anagnorisisd.embedding.embedder import Samples

Bank = NDArray[np.float32]
Numbers = NDArray[np.float64]

Frames = NDArray[np.float32]
"""`[frames]` or `[frames, values]`."""

RATE = 22050
FFT_SIZE = 2048
HOP = 512
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
FLOOR = 1e-10
TOP_DECIBEL = 80.0
ROLL_OFF = 0.85
CONTRAST_LOWEST_HERTZ = 200.0
CONTRAST_OCTAVES = 6
CONTRAST_QUANTILE = 0.02
FREQUENCIES: Frames = np.fft.rfftfreq(FFT_SIZE, 1 / RATE).astype(np.float32)
"""Centre of each bin in hertz, `[bins]`."""


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
        hann_window(FFT_SIZE), mel_filters(RATE, FFT_SIZE, MEL_BANDS), dct_matrix(),
        chroma_filters(),
    )))  # fmt: skip


def hann_window(size: int) -> Numbers:
    """Return the periodic Hann window, `[size]` (`librosa.filters.get_window`)."""
    turns = np.arange(size, dtype=np.float64) / size
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * turns))


def mel_filters(rate: int, fft_size: int, bands: int) -> Numbers:
    """Return triangles of equal area, equally wide on Slaney's mel scale (`librosa.filters.mel`).

    They reach from 0 Hz to half of `rate`; the shape is `[fft_size // 2 + 1, bands]`.
    """
    corner = MEL_CORNER_HERTZ / MEL_HERTZ
    highest = corner + np.log(rate / 2 / MEL_CORNER_HERTZ) / MEL_GROWTH
    mels = np.linspace(0.0, highest, bands + 2)
    above = MEL_CORNER_HERTZ * np.exp(MEL_GROWTH * (mels - corner))
    edges = np.where(mels < corner, mels * MEL_HERTZ, above)
    bins = np.fft.rfftfreq(fft_size, 1 / rate)[:, np.newaxis]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2]))


def dct_matrix() -> Numbers:
    """Return the orthonormal cosine transform, type 2 (`scipy.fft.dct`)."""
    places = (np.arange(MEL_BANDS) + 0.5) / MEL_BANDS
    waves: Numbers = np.cos(np.pi * np.outer(places, np.arange(MFCCS))) * np.sqrt(2 / MEL_BANDS)
    waves[:, 0] /= np.sqrt(2)
    return waves


def chroma_filters() -> Numbers:
    """Return the pitch class of each bin, C first (`librosa.filters.chroma`)."""
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


def magnitudes(samples: Samples, filters: Filters) -> Frames:
    """Return the spectrogram, `[frames, bins]` (`librosa.stft`, absolute)."""
    padded = np.pad(samples, FFT_SIZE // 2)
    frames = sliding_window_view(padded, FFT_SIZE)[::HOP] * filters.window
    return np.asarray(np.abs(np.fft.rfft(frames)), np.float32)


def decibel(power: Frames) -> Frames:
    """Return powers in decibel, at most 80 below the loudest (`librosa.power_to_db`)."""
    level: Frames = 10 * np.log10(np.maximum(power, FLOOR))
    return np.maximum(level, np.float32(level.max() - TOP_DECIBEL))


def log_mel(spectrum: Frames, filters: Filters) -> Frames:
    """Return decibels in mel bands, `[frames, MEL_BANDS]` (`librosa.feature.melspectrogram`)."""
    return decibel(np.square(spectrum) @ filters.mel)


def mfcc(bands: Frames, filters: Filters) -> Frames:
    """Return cepstral coefficients, `[frames, MFCCS]` (`librosa.feature.mfcc`)."""
    return bands @ filters.dct


def centroid_and_bandwidth(spectrum: Frames) -> tuple[Frames, Frames]:
    """Return mean and deviation of frequency in hertz, `[frames]` each.

    (`librosa.feature.spectral_centroid`, `librosa.feature.spectral_bandwidth`)
    """
    # In units of the highest frequency, so that the squares keep their precision.
    scale = FREQUENCIES[-1]
    place = FREQUENCIES / scale
    moments = spectrum @ np.stack([np.ones_like(place), place, place**2], axis=1)
    total, first, second = moments.T
    total = np.maximum(total, np.finfo(np.float32).tiny)
    mean = first / total
    return mean * scale, np.sqrt(np.maximum(second / total - mean**2, 0.0)) * scale


def roll_off(spectrum: Frames) -> Frames:
    """Return below which hertz 85 % of the magnitude lies (`librosa.feature.spectral_rolloff`)."""
    below = np.cumsum(spectrum, axis=1)
    hertz: Frames = FREQUENCIES[np.argmax(below >= ROLL_OFF * below[:, -1:], axis=1)]
    return hertz


def flatness(spectrum: Frames) -> Frames:
    """Return how noise-like each frame is, 0 to 1 (`librosa.feature.spectral_flatness`)."""
    power = np.maximum(np.square(spectrum), FLOOR)
    flat: Frames = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    return flat


def contrast(spectrum: Frames) -> Frames:
    """Return peaks above valleys in decibel per octave band, `[frames, 7]`.

    (`librosa.feature.spectral_contrast`)
    """
    valleys, peaks = [], []
    for first, last, kept in _contrast_bands():
        ordered = np.sort(spectrum[:, first:last], axis=1)
        valleys.append(ordered[:, :kept].mean(axis=1))
        peaks.append(ordered[:, -kept:].mean(axis=1))
    return decibel(np.stack(peaks, axis=1)) - decibel(np.stack(valleys, axis=1))


def _contrast_bands() -> list[tuple[int, int, int]]:
    """Return first bin, bin after the last, and how many bins make a peak, of each band."""
    edges = [0.0, *(CONTRAST_LOWEST_HERTZ * 2.0**octave for octave in range(CONTRAST_OCTAVES + 1))]
    bands = []
    for index in range(CONTRAST_OCTAVES + 1):
        inside = np.flatnonzero((edges[index] <= FREQUENCIES) & (edges[index + 1] >= FREQUENCIES))
        highest = index == CONTRAST_OCTAVES
        first = int(inside[0]) - (index > 0)
        last = len(FREQUENCIES) if highest else int(inside[-1]) + 1
        kept = max(1, round(CONTRAST_QUANTILE * (last - first)))
        bands.append((first, last if highest else last - 1, kept))
    return bands


def chroma(spectrum: Frames, filters: Filters) -> Frames:
    """Return the strength of the twelve pitch classes, `[frames, 12]`, the strongest being 1.

    (`librosa.feature.chroma_stft` with `tuning=0`)
    """
    raw: Frames = np.square(spectrum) @ filters.chroma
    strongest = raw.max(axis=1, keepdims=True)
    return np.asarray(raw / np.maximum(strongest, np.finfo(np.float32).tiny), np.float32)


def zero_crossings(samples: Samples) -> Frames:
    """Return the share of sign changes in each frame (`librosa.feature.zero_crossing_rate`)."""
    padded = np.pad(samples, FFT_SIZE // 2, mode="edge")
    negative = np.signbit(np.where(np.abs(padded) <= FLOOR, 0.0, padded))
    changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(0, len(padded) - FFT_SIZE + 1, HOP)
    counts = changes[starts + FFT_SIZE - 1] - changes[starts]
    return np.asarray(counts / FFT_SIZE, np.float32)


def loudness(samples: Samples) -> Frames:
    """Return the root mean square of each frame (`librosa.feature.rms`)."""
    squares = np.square(np.pad(samples, FFT_SIZE // 2), dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    starts = np.arange(0, len(squares) - FFT_SIZE + 1, HOP)
    energy = np.maximum(sums[starts + FFT_SIZE] - sums[starts], 0.0)
    return np.asarray(np.sqrt(energy / FFT_SIZE), np.float32)


def onset_strength(bands: Frames) -> Frames:
    """Return how much louder the mel bands became (`librosa.onset.onset_strength`, `S=`)."""
    rise = np.maximum(np.diff(bands, axis=0), 0.0).mean(axis=1)
    # A frame hears an onset half its length before its centre.
    delayed = np.concatenate([np.zeros(1 + FFT_SIZE // (2 * HOP), np.float32), rise])
    return delayed[: len(bands)]


def autocorrelation(envelope: Frames) -> Frames:
    """Return the similarity of an envelope to itself at each lag (`librosa.autocorrelate`)."""
    size = 2 * len(envelope)
    power = np.square(np.abs(np.fft.rfft(envelope, size)))
    return np.asarray(np.fft.irfft(power, size)[: len(envelope)], np.float32)
