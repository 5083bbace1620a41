"""Filter banks of the feature embedder: librosa's, computed once and kept in a file.

Importing librosa costs seconds and some 150 MB, loading the file a millisecond, so librosa is
asked only where the file is missing or does not fit.
"""

import os
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bank = NDArray[np.float32]

RATE = 22050
FFT_SIZE = 2048
MEL_BANDS = 64
MFCCS = 20


@dataclass(frozen=True, slots=True)
class Filters:
    """What spectra are multiplied with; `bins` is `FFT_SIZE // 2 + 1`.

    `window [FFT_SIZE]`, `mel [bins, MEL_BANDS]`, `dct [MEL_BANDS, MFCCS]`, `chroma [bins, 12]`.
    """

    window: Bank
    mel: Bank
    dct: Bank
    chroma: Bank


def load(directory: Path) -> Filters:
    """Return the filters kept in `directory`, computing them the first time."""
    path = directory / f"filters-{RATE}-{FFT_SIZE}-{MEL_BANDS}-{MFCCS}.npz"
    try:
        with np.load(path, allow_pickle=False) as kept:
            return Filters(**{name: kept[name] for name in Filters.__slots__})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        filters = compute(directory)
    _keep(filters, path)
    return filters


def compute(directory: Path) -> Filters:
    """Return the filters as librosa and scipy define them."""
    # numba insists on a place to write to, and that of the installation may be read-only.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(directory / "numba"))
    import librosa
    import scipy.fft

    return Filters(
        window=_bank(librosa.filters.get_window("hann", FFT_SIZE)),
        mel=_bank(librosa.filters.mel(sr=RATE, n_fft=FFT_SIZE, n_mels=MEL_BANDS).T),
        dct=_bank(scipy.fft.dct(np.eye(MEL_BANDS), axis=1, type=2, norm="ortho")[:, :MFCCS]),
        chroma=_bank(librosa.filters.chroma(sr=RATE, n_fft=FFT_SIZE, tuning=0.0).T),
    )


def _bank(values: NDArray[np.floating]) -> Bank:
    return np.ascontiguousarray(values, dtype=np.float32)


def _keep(filters: Filters, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several workers may get here at once: each writes its own file, and the last one stays.
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez(file, **asdict(filters))
    Path(file.name).replace(path)
