"""The embedder that needs no download: statistics of timbre, rhythm and harmony.

Twelve windows of five seconds. Of each window: mean and deviation of 34 frame features, and the
deviation of the frame to frame differences of the cepstral ones; how its onsets repeat; and which
intervals its notes form, whatever the key. Of these, mean and deviation over the windows. Means
of differences are left out: they are noise, and spoil the neighbours.
"""

from itertools import pairwise

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan, FilePart, PlanStage
from anagnorisisd.embedding.embedder import DECODER_MEMORY_BYTES, EmbedderSettings, Samples, Vector
from anagnorisisd.embedding.features import spectral
from anagnorisisd.embedding.features.spectral import (
    FFT_SIZE,
    HOP,
    MFCCS,
    RATE,
    Filters,
    Frames,
    filters,
)

WINDOWS = 12
WINDOW_SECONDS = 5.0
TEMPO_BANDS_BPM = (30.0, 50.0, 70.0, 90.0, 110.0, 130.0, 150.0, 180.0, 240.0)
USUAL_BPM = 120.0
QUIET = 1e-5
"""Added before taking logarithms of magnitudes."""

WINDOW_PLAN = f"{WINDOWS}x{WINDOW_SECONDS:g}s-{RATE}Hz-fft{FFT_SIZE}"
FIRST_PLAN = "12x5s-22050Hz-fft2048"
"""The plan of version 1, which its stamps do not name."""

ENERGY_DIMENSIONS = (27, 32, 33)
"""The dimensions that tell calm from lively music: the means of spectral centroid, loudness and
onset strength, each higher in livelier music."""

STAMP = EmbedderStamp(
    name="features",
    version="1" if WINDOW_PLAN == FIRST_PLAN else f"1-{WINDOW_PLAN}",
    dimension=206,
)


def offer(settings: EmbedderSettings) -> EmbeddingPlan:
    """Return how features are made: one process per core, each reading and computing."""
    stage = PlanStage(
        f"{__name__}:embed",
        arguments=(),
        workers=settings.cores,
        threads=1,
        memory_bytes=DECODER_MEMORY_BYTES,
    )
    return EmbeddingPlan(STAMP, (stage,))


def embed(file: str | FilePart) -> Vector:
    """Return the vector, `[STAMP.dimension]` finite float32, of a file or a part of one.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: the file holds no sound that can be read.
    """
    # FFmpeg's libraries are loaded here, in the worker, and never by the parent.
    from anagnorisisd.embedding.decode import read_windows

    windows = read_windows(file, rate=RATE, seconds=WINDOW_SECONDS, count=WINDOWS)
    return describe(windows)


def describe(windows: Samples) -> Vector:
    """Return the vector of the windows, `[windows, samples]` at `RATE`."""
    each = np.stack([_describe_window(window) for window in windows])
    return np.concatenate([each.mean(axis=0), each.std(axis=0)]).astype(np.float32)


def _describe_window(samples: Samples) -> Frames:
    # Anything shorter has too few frames to speak of deviations.
    samples = np.pad(samples, (0, max(0, RATE - len(samples))))
    bank = filters()
    spectrum = spectral.magnitudes(samples, bank)
    bands = spectral.log_mel(spectrum, bank)
    onsets = spectral.onset_strength(bands)
    frames = _timbre(samples, spectrum, bands, onsets, bank)
    return np.concatenate(
        [
            frames.mean(axis=0),
            frames.std(axis=0),
            np.diff(frames[:, :MFCCS], axis=0).std(axis=0),
            rhythm(onsets),
            harmony(spectral.chroma(spectrum, bank)),
        ]
    )


def _timbre(
    samples: Samples, spectrum: Frames, bands: Frames, onsets: Frames, bank: Filters
) -> Frames:
    """Return the frame features, `[frames, 34]`; frequencies and levels as logarithms."""
    centroid, bandwidth = spectral.centroid_and_bandwidth(spectrum)
    columns = [
        np.log1p(centroid),
        np.log1p(bandwidth),
        np.log1p(spectral.roll_off(spectrum)),
        np.log(spectral.flatness(spectrum) + QUIET),
        spectral.zero_crossings(samples),
        np.log(spectral.loudness(samples) + QUIET),
        onsets,
    ]
    return np.concatenate(
        [
            spectral.mfcc(bands, bank),
            spectral.contrast(spectrum),
            np.stack(columns, axis=1),
        ],
        axis=1,
    )


def rhythm(onsets: Frames) -> Frames:
    """Return how strongly onsets repeat in each tempo band, and the octave of the tempo, `[9]`."""
    similar = spectral.autocorrelation(onsets - onsets.mean())
    similar /= max(float(similar[0]), QUIET)
    lags = np.arange(1, len(similar))
    bpm = 60.0 * RATE / (HOP * lags)
    bands = [
        similar[1:][(bpm >= low) & (bpm < high)].max(initial=0.0)
        for low, high in pairwise(TEMPO_BANDS_BPM)
    ]
    octaves = np.log2(bpm / USUAL_BPM)
    # librosa's prior: listeners tap near 120 beats a minute, give or take an octave.
    likely = np.maximum(similar[1:], 0.0) * np.exp(-0.5 * octaves**2)
    return np.array([*bands, octaves[np.argmax(likely)]], np.float32)


def harmony(chroma: Frames) -> Frames:
    """Return the intervals of the mean chroma: its spectrum without phases, `[6]`, key-free."""
    waves = np.abs(np.fft.rfft(chroma.mean(axis=0)))
    return (waves[1:] / max(float(waves[0]), QUIET)).astype(np.float32)
