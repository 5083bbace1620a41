"""Our filters and frame features are librosa's."""

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.fft

from anagnorisisd.embedding.embedder import Samples
from anagnorisisd.embedding.features import spectral
from anagnorisisd.embedding.features.spectral import (
    FFT_SIZE,
    MEL_BANDS,
    MFCCS,
    RATE,
    Filters,
    filters,
)


@pytest.fixture(scope="module")
def bank() -> Filters:
    return filters()


@pytest.fixture(scope="module", params=["music", "noise", "clicks", "quiet"])
def samples(request: pytest.FixtureRequest) -> Samples:
    rng = np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    sounds = {
        "music": np.sin(2 * np.pi * 440 * time) * (1 + np.sin(4 * np.pi * time)) * 0.3,
        "noise": rng.uniform(-1, 1, len(time)),
        "clicks": (rng.random(len(time)) < 0.001) * 0.9,
        "quiet": rng.normal(0, 1e-4, len(time)) * (time > 1),
    }
    return np.asarray(sounds[request.param], np.float32)


@pytest.fixture(scope="module")
def spectrum(samples: Samples, bank: Filters) -> spectral.Frames:
    return spectral.magnitudes(samples, bank)


@pytest.mark.slow
def test_the_spectrogram(spectrum: spectral.Frames, samples: Samples) -> None:
    expected = np.abs(librosa.stft(samples)).T

    assert spectrum == pytest.approx(expected, abs=1e-3)


def test_the_mel_bands_and_cepstra(
    spectrum: spectral.Frames, samples: Samples, bank: Filters
) -> None:
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_mels=MEL_BANDS)
    level = librosa.power_to_db(mel)
    bands = spectral.log_mel(spectrum, bank)

    assert bands == pytest.approx(level.T, abs=0.05)
    assert spectral.mfcc(bands, bank) == pytest.approx(
        librosa.feature.mfcc(S=bands.T, n_mfcc=MFCCS).T, abs=1e-3
    )
    assert spectral.onset_strength(bands) == pytest.approx(
        librosa.onset.onset_strength(S=bands.T, sr=RATE), abs=1e-4
    )


OF_THE_SPECTRUM: list[tuple[Callable[[Any], Any], Callable[[Any], Any], float]] = [
    (
        lambda ours: spectral.centroid_and_bandwidth(ours)[0],
        lambda theirs: librosa.feature.spectral_centroid(S=theirs)[0],
        0.5,
    ),
    (
        lambda ours: spectral.centroid_and_bandwidth(ours)[1],
        lambda theirs: librosa.feature.spectral_bandwidth(S=theirs)[0],
        0.5,
    ),
    (
        spectral.flatness,
        lambda theirs: librosa.feature.spectral_flatness(S=theirs)[0],
        1e-4,
    ),
    (
        spectral.contrast,
        lambda theirs: librosa.feature.spectral_contrast(S=theirs).T,
        1e-2,
    ),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "within"),
    OF_THE_SPECTRUM,
    ids=["centroid", "bandwidth", "flatness", "contrast"],
)
def test_features_of_the_spectrogram(
    spectrum: spectral.Frames,
    ours: Callable[[Any], Any],
    theirs: Callable[[Any], Any],
    within: float,
) -> None:
    assert ours(spectrum) == pytest.approx(theirs(spectrum.T), abs=within)


def test_the_roll_off(spectrum: spectral.Frames) -> None:
    expected = librosa.feature.spectral_rolloff(S=spectrum.T)[0]

    # Rounding may move it by one bin.
    assert spectral.roll_off(spectrum) == pytest.approx(expected, abs=RATE / 2048 + 0.01)


def test_the_chroma(spectrum: spectral.Frames, bank: Filters) -> None:
    expected = librosa.feature.chroma_stft(S=spectrum.T**2, tuning=0).T

    assert spectral.chroma(spectrum, bank) == pytest.approx(expected, abs=1e-3)


def test_features_of_the_samples(samples: Samples) -> None:
    assert spectral.zero_crossings(samples) == pytest.approx(
        librosa.feature.zero_crossing_rate(samples)[0], abs=1e-6
    )
    assert spectral.loudness(samples) == pytest.approx(librosa.feature.rms(y=samples)[0], abs=1e-4)
    envelope = np.abs(samples[:400])
    assert spectral.autocorrelation(envelope) == pytest.approx(
        librosa.autocorrelate(envelope), abs=1e-3
    )


def test_the_filters(bank: Filters) -> None:
    cosines = scipy.fft.dct(np.eye(MEL_BANDS), axis=1, norm="ortho")[:, :MFCCS]
    mels = librosa.filters.mel(sr=RATE, n_fft=FFT_SIZE, n_mels=MEL_BANDS)
    pitches = librosa.filters.chroma(sr=RATE, n_fft=FFT_SIZE, tuning=0.0)

    assert bank.window == pytest.approx(librosa.filters.get_window("hann", FFT_SIZE), abs=1e-7)
    assert bank.mel == pytest.approx(mels.T, abs=1e-7)
    assert bank.dct == pytest.approx(cosines, abs=1e-7)
    assert bank.chroma == pytest.approx(pitches.T, abs=1e-6)
