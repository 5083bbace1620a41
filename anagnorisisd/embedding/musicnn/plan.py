"""The embedder `musicnn`: the features and MusiCNN's pooled maps, from one reading of the file.

A vector is the concatenation of

| values | what they are                                                                        |
|--------|--------------------------------------------------------------------------------------|
| 206    | the vector of the embedder `features`                                                |
| 256    | MusiCNN's pooled maps, averaged over the patches, clipped, and projected             |
| 50     | its tag logits, averaged over the patches; `tags` reads them                          |

A patch is 3 s from the middle of a window. Loudness is left as it is: the network was trained on
unnormalised music.
"""

import hashlib
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan, FilePart, PlanStage
from anagnorisisd.embedding.embedder import (
    DECODER_MEMORY_BYTES,
    EmbedderSettings,
    Samples,
    Vector,
)
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.features.spectral import RATE, hann_window, mel_filters
from anagnorisisd.embedding.musicnn.network import Floats, Network
from anagnorisisd.embedding.musicnn.weights import ARRAYS_SHA256, find, load

PATCHES = 10
PATCH_RATE = 16_000
FFT_SIZE, HOP = 512, 256
MEL_BANDS = 96
FRAMES = 187
PATCH_SAMPLES = (FRAMES - 1) * HOP + FFT_SIZE
COMPRESSION = 10_000.0

POOLED, PROJECTED, TAGS = 1506, 256, 50
CLIP = 8.0
"""Pooled values are standardised by the network; few silent or clipped tracks lie far outside."""

PATCH_PLAN = f"{PATCHES}x{FRAMES}f-{PROJECTED}"
STAMP = EmbedderStamp(
    name="musicnn",
    version=f"{ARRAYS_SHA256[:12]}-{PATCH_PLAN}-features{features.STAMP.version}",
    dimension=features.STAMP.dimension + PROJECTED + TAGS,
    segments=(features.STAMP.dimension, PROJECTED + TAGS),
)


def offer(settings: EmbedderSettings) -> EmbeddingPlan | None:
    """Return how the vectors are made: one process per core; `None` if there are no weights.

    Raises:
        WeightsUnreadable: the disk does not let the weights be read.
        EmbedderUnusable: there is a file, but it cannot be one of the published weights.
    """
    path = find(settings.model_directory)
    if path is None:
        return None
    stage = PlanStage(
        f"{__name__}:embed",
        arguments=(str(path),),
        workers=settings.cores,
        threads=1,
        memory_bytes=DECODER_MEMORY_BYTES,
    )
    return EmbeddingPlan(STAMP, (stage,))


def embed(file: str | FilePart, weights: str) -> Vector:
    """Return the vector, `[STAMP.dimension]` finite float32, of a file or a part of one.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: the file holds no sound that can be read.
        EmbedderUnusable: the weights cannot be used.
    """
    # FFmpeg's libraries are loaded here, in the worker, and never by the parent.
    from anagnorisisd.embedding.decode import read_windows

    network = _network(weights)
    windows = read_windows(file, rate=RATE, seconds=features.WINDOW_SECONDS, count=features.WINDOWS)
    return np.concatenate([features.describe(windows), *describe(windows, network)])


def describe(windows: Samples, network: Network) -> tuple[Vector, Vector]:
    """Return projected maps, `[PROJECTED]`, and tag logits, `[TAGS]`, of windows at `RATE`."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, PATCHES).round().astype(int))
    # One patch at a time: more need more memory, and are no faster.
    outputs = [network(log_mel(patch(windows[number]))[np.newaxis]) for number in chosen]
    pooled, logits = (np.concatenate(part).mean(axis=0) for part in zip(*outputs, strict=True))
    return project(pooled), logits


def patch(window: Samples) -> Samples:
    """Return the middle of a window at `PATCH_RATE`, `[PATCH_SAMPLES]`.

    A window that is too short is repeated: silence would be heard as a part of the music.
    """
    import soxr

    samples = soxr.resample(window, RATE, PATCH_RATE)
    if len(samples) < PATCH_SAMPLES:
        return np.resize(samples, PATCH_SAMPLES)
    start = (len(samples) - PATCH_SAMPLES) // 2
    return np.asarray(samples[start : start + PATCH_SAMPLES], np.float32)


def log_mel(samples: Samples) -> Floats:
    """Return the log-mel spectrogram, `[FRAMES, MEL_BANDS]`, of `PATCH_SAMPLES` samples.

    (`librosa.feature.melspectrogram` without padding, then `log10(10000 x + 1)`)
    """
    window, mel = _filters()
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT_SIZE)[::HOP] * window
    power = np.square(np.abs(np.fft.rfft(frames))).astype(np.float32)
    return np.asarray(np.log10(COMPRESSION * (power @ mel) + 1), np.float32)


@cache
def _filters() -> tuple[Floats, Floats]:
    window, mel = hann_window(FFT_SIZE), mel_filters(PATCH_RATE, FFT_SIZE, MEL_BANDS)
    return window.astype(np.float32), mel.astype(np.float32)


def project(pooled: Floats) -> Vector:
    """Return a fixed random projection to `PROJECTED` values.

    The evaluator standardises every dimension. After a PCA that would amplify noise; a random
    projection keeps all distances.
    """
    return np.asarray(np.clip(pooled, -CLIP, CLIP) @ _projection(), np.float32)


@cache
def _projection() -> Floats:
    """Return the matrix, `[POOLED, PROJECTED]`, of ±1 / sqrt(PROJECTED).

    The signs are the bits of a hash, so that they depend on no random generator.
    """
    stream = hashlib.shake_256(b"musicnn").digest(POOLED * PROJECTED // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(POOLED, PROJECTED)
    matrix: Floats = (2 * bits.astype(np.float32) - 1) / np.float32(PROJECTED**0.5)
    return matrix


@lru_cache(maxsize=1)
def _network(weights: str) -> Network:
    return Network(load(Path(weights)))
