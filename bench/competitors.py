"""Implementations of other projects, to compare the embedders with."""

from pathlib import Path
from typing import Any

import numpy as np

from anagnorisisd.embedding.embedder import Samples
from anagnorisisd.embedding.mert.inference import RATE, WINDOW_SAMPLES, WINDOW_SECONDS, WINDOWS

Starts = list[float]


def _starts(seconds: float) -> Starts:
    return [(index + 0.5) * seconds / WINDOWS - WINDOW_SECONDS / 2 for index in range(WINDOWS)]


def pydub_whole(path: Path) -> Samples:
    """Read the whole file with pydub, as the original project does; then cut."""
    from pydub import AudioSegment

    sound = AudioSegment.from_file(path).set_channels(1).set_frame_rate(RATE)
    samples = np.array(sound.get_array_of_samples(), np.float32) / 2 ** (8 * sound.sample_width - 1)
    return _cut(samples)


def librosa_offset(path: Path) -> Samples:
    """Read each window with `librosa.load`."""
    import librosa

    seconds = librosa.get_duration(path=path)
    return np.stack(
        [
            librosa.load(path, sr=RATE, offset=start, duration=WINDOW_SECONDS)[0][:WINDOW_SAMPLES]
            for start in _starts(seconds)
        ]
    )


def soundfile_seek(path: Path) -> Samples:
    """Read each window with soundfile, and resample it with soxr."""
    import soundfile
    import soxr

    with soundfile.SoundFile(path) as file:
        windows = []
        for start in _starts(len(file) / file.samplerate):
            file.seek(int(start * file.samplerate))
            samples = file.read(int((WINDOW_SECONDS + 0.01) * file.samplerate), "float32")
            mono = samples.mean(axis=1) if samples.ndim > 1 else samples
            windows.append(soxr.resample(mono, file.samplerate, RATE)[:WINDOW_SAMPLES])
    return np.stack(windows)


def _cut(samples: Samples) -> Samples:
    starts = [int(start * RATE) for start in _starts(len(samples) / RATE)]
    return np.stack([samples[start : start + WINDOW_SAMPLES] for start in starts])


class OriginalMert:
    """MERT as the original project ran it: eager attention, fp32, five windows in one batch."""

    def __init__(self, folder: Path, layers: int) -> None:
        import torch

        from anagnorisisd.embedding.mert.model import load

        self._torch = torch
        self._model: Any = load(folder, layers)
        self._model.set_attn_implementation("eager")

    def __call__(self, windows: Samples) -> Samples:
        """Return the mean over time of each window, `[windows, dimension]`."""
        with self._torch.inference_mode():
            # All hidden states are kept, though one is used.
            states = self._model(self._torch.from_numpy(windows), output_hidden_states=True)
            means: Samples = states.hidden_states[-1].mean(dim=1).numpy()
        return means


def bliss(path: Path) -> list[float]:
    """Analyse a song with bliss-audio."""
    import bliss_audio

    return list(bliss_audio.Song(str(path)).analysis)
