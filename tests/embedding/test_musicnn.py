"""MusiCNN: its network against the original's figures, and its vectors from files."""

import os
import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.config.schema import EmbedderChoice, Embedding
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.musicnn import network, plan, weights
from anagnorisisd.embedding.musicnn.network import Convolution, Floats, Timbral
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.errors import EmbedderUnusable
from tests.embedding.musicnn_reference import LOGITS, RATE, signals
from tests.support import mert
from tests.support.musicnn import needs_weights
from tests.support.songs import calm, make_songs

TOLERANCE = 1e-4
OTHER_PROCESSORS = (
    {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX"},
    {"OPENBLAS_NUM_THREADS": "1"},
)


@needs_weights
def test_logits_equal_those_of_the_original_graph() -> None:
    net = network.Network(weights.load(weights.PACKAGED))

    _, logits = net(np.stack([plan.log_mel(one) for one in signals()]))

    assert logits == pytest.approx(LOGITS, abs=TOLERANCE)


def test_log_mel_equals_librosa() -> None:
    for one in signals():
        mel = librosa.feature.melspectrogram(
            y=one, sr=RATE, hop_length=256, n_fft=512, n_mels=96, center=False
        )
        assert plan.log_mel(one) == pytest.approx(np.log10(10_000 * mel.T + 1), abs=1e-5)


def convolution(rng: np.random.Generator, width: int, channels: int) -> Convolution:
    """Return a random layer, whose batch normalisation has scales of both signs."""
    return Convolution(
        kernel=rng.normal(size=(network.TAPS, width, channels)).astype(np.float32),
        bias=rng.normal(size=channels).astype(np.float32),
        scale=rng.normal(size=channels).astype(np.float32),
        shift=rng.normal(size=channels).astype(np.float32),
    )


def direct(x: Floats, layer: Convolution) -> Floats:
    """Return what `Timbral` returns, by the definition."""
    before = network.TAPS // 2
    padded = np.pad(x.astype(np.float64), ((before, before), (0, 0)))
    taps, width, _ = layer.kernel.shape
    positions = [
        np.einsum("tfk,kfc->tc", np.lib.stride_tricks.sliding_window_view(
            padded[:, band : band + width], taps, axis=0), layer.kernel)
        for band in range(x.shape[1] - width + 1)
    ]  # fmt: skip
    active = np.maximum(np.stack(positions) + layer.bias, 0) * layer.scale + layer.shift
    return np.asarray(active.max(axis=0), np.float32)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 30), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_winograd_equals_the_direct_convolution(frames: int, more_bands: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = convolution(rng, width=5, channels=3)
    x = rng.normal(size=(frames, 5 + more_bands)).astype(np.float32)

    (found,) = Timbral(layer)(x[np.newaxis])

    assert found == pytest.approx(direct(x, layer), abs=1e-3)


def test_projection_keeps_distances() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, plan.POOLED)).astype(np.float32)

    kept = np.linalg.norm(plan.project(one) - plan.project(other)) / np.linalg.norm(one - other)

    assert kept == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("seconds", [0.2, 1.0, 3.5, 20.0])
@needs_weights
def test_tracks_of_any_length_have_a_vector(seconds: float, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, calm(0)[: int(seconds * 22_050)], 22_050)

    vector = plan.embed(str(song), str(weights.PACKAGED))

    assert vector.shape == (plan.STAMP.dimension,) == (sum(plan.STAMP.segments),)
    assert np.isfinite(vector).all()
    assert np.array_equal(vector[: features.STAMP.dimension], features.embed(str(song)))


@needs_weights
@pytest.mark.slow
def test_vectors_are_the_same_on_every_machine(tmp_path: Path) -> None:
    """Other kernels of numpy and BLAS stand for other processors."""
    songs = [str(tmp_path / uri) for uri in make_songs(tmp_path, 2)]
    here = np.stack([plan.embed(song, str(weights.PACKAGED)) for song in songs])
    program = (
        "import sys, numpy as np\n"
        "from anagnorisisd.embedding.musicnn import plan, weights\n"
        "made = [plan.embed(song, str(weights.PACKAGED)) for song in sys.argv[2:]]\n"
        "np.save(sys.argv[1], np.stack(made))\n"
    )
    for number, variables in enumerate(OTHER_PROCESSORS):
        there = tmp_path / f"{number}.npy"
        subprocess.run(
            [sys.executable, "-c", program, there, *songs],
            env={**os.environ, **variables},
            check=True,
        )
        assert np.load(there) == pytest.approx(here, abs=TOLERANCE)


def settings_of(models: Path, choice: EmbedderChoice = EmbedderChoice.AUTO) -> EmbedderSettings:
    return EmbedderSettings(Embedding(embedder=choice, layer=3), models, models)


@needs_weights
def test_auto_prefers_mert_then_musicnn_then_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selector = EmbedderSelector(settings_of(tmp_path))
    stamps = [selector.wanted()]
    mert.make_folder(tmp_path / MERT.name)
    stamps.append(selector.wanted())
    for stamp in reversed(stamps):
        selector.refuse(stamp)
    stamps.append(selector.wanted())

    assert [stamp.name for stamp in stamps] == ["musicnn", "mert", "features"]


def test_missing_weights_select_features(without_musicnn: None, tmp_path: Path) -> None:
    assert EmbedderSelector(settings_of(tmp_path)).wanted().name == "features"
    with pytest.raises(EmbedderUnusable, match="fetch-model musicnn"):
        EmbedderSelector(settings_of(tmp_path, EmbedderChoice.MUSICNN)).plan()


@needs_weights
def test_changed_weights_of_the_published_size_are_refused_where_they_are_loaded(
    tmp_path: Path,
) -> None:
    content = bytearray(weights.PACKAGED.read_bytes())
    content[len(content) // 2] ^= 1
    path = weights.downloaded(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (stage,) = EmbedderSelector(settings_of(tmp_path, EmbedderChoice.MUSICNN)).plan().stages
    (song,) = make_songs(tmp_path / "music", 1)[:1]

    with pytest.raises(EmbedderUnusable, match="fetch-model musicnn"):
        plan.embed(str(tmp_path / "music" / song), *stage.arguments)


@pytest.mark.parametrize("content", [b"", b"no npz", bytes(64), None])
def test_other_weights_are_refused(
    content: bytes | None, without_musicnn: None, tmp_path: Path
) -> None:
    path = weights.downloaded(tmp_path)
    if content is None:
        weights.save({"dense/kernel": np.zeros((1506, 200), np.float32)}, path)
    else:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    with pytest.raises(EmbedderUnusable, match="fetch-model musicnn"):
        EmbedderSelector(settings_of(tmp_path, EmbedderChoice.MUSICNN)).plan()
    assert EmbedderSelector(settings_of(tmp_path)).wanted().name == "features"


def test_a_fifo_in_place_of_the_weights_is_not_waited_for(
    without_musicnn: None, tmp_path: Path
) -> None:
    path = weights.downloaded(tmp_path)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)

    with pytest.raises(EmbedderUnusable, match="not a regular file"):
        EmbedderSelector(settings_of(tmp_path, EmbedderChoice.MUSICNN)).plan()


def test_a_link_where_the_weights_are_put_together_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody")
    path = tmp_path / weights.FILE_NAME
    path.with_name(f".{path.name}.partial").symlink_to(other)

    weights.save({"dense/kernel": np.zeros((1506, 200), np.float32)}, path)

    assert other.read_text() == "of somebody"
    assert path.is_file()
    assert not path.is_symlink()
