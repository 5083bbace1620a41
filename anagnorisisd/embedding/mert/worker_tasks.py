"""What the workers do for MERT: one reads windows, the other makes vectors of them."""

from functools import lru_cache

import numpy as np

from anagnorisisd.embedding.mert import engines
from anagnorisisd.embedding.mert.engine_plan import EnginePlan
from anagnorisisd.embedding.types import Samples, Vector

RATE = 24_000
WINDOW_SECONDS = 5.0
WINDOW_SAMPLES = int(RATE * WINDOW_SECONDS)
WINDOWS = 5
SILENT_VARIANCE = 1e-7
"""What the published preprocessor adds to the variance before it divides."""


def read(path: str) -> Samples:
    """Return up to five evenly spread windows, `[windows, WINDOW_SAMPLES]`.

    A track shorter than a window is repeated until it fills one: padding it with silence would
    let the silence have its say in the mean.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: the file holds no sound that can be read.
    """
    from anagnorisisd.embedding.decode import read_windows

    windows = read_windows(path, rate=RATE, seconds=WINDOW_SECONDS, count=WINDOWS)
    if windows.shape[1] < WINDOW_SAMPLES:
        return np.resize(windows, (1, WINDOW_SAMPLES))
    return windows


def embed(windows: Samples, plan: EnginePlan) -> Vector:
    """Return the mean over time, then over windows, of the chosen layer, `[dimension]`.

    Raises:
        EmbedderUnusable: the weights cannot be used.
    """
    vector: Vector = _engine(plan)(normalised(windows)).mean(axis=0)
    return vector


def normalised(windows: Samples) -> Samples:
    """Return each window with mean 0 and variance 1, as the model was trained."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + np.float32(SILENT_VARIANCE)), np.float32)


@lru_cache(maxsize=1)
def _engine(plan: EnginePlan) -> engines.Run:
    return engines.start(plan, WINDOW_SAMPLES)
