"""What can be heard in one window, frame by frame, by librosa's definitions.

librosa computes a new spectrogram for almost every question; here all are asked of the same one.
Each function gives, within single precision, what the function of librosa named in it gives.
Frames are `FFT_SIZE` long, `HOP` apart and centred; a window of `n` samples has
`1 + n // HOP` of them.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anagnorisisd.embedding.filter_banks import FFT_SIZE, RATE, Filters
from anagnorisisd.embedding.types import Samples

Frames = NDArray[np.float32]
"""`[frames]` or `[frames, values]`."""

HOP = 512
FLOOR = 1e-10
TOP_DECIBEL = 80.0
ROLL_OFF = 0.85
CONTRAST_LOWEST_HERTZ = 200.0
CONTRAST_OCTAVES = 6
CONTRAST_QUANTILE = 0.02
FREQUENCIES: Frames = np.fft.rfftfreq(FFT_SIZE, 1 / RATE).astype(np.float32)
"""Centre of each bin in hertz, `[bins]`."""


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
