"""MERT from checkpoints of the published layout: numbers, strictness, safety, inference."""

import asyncio
import json
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from anagnorisisd.config.schema import Device, EmbedderChoice, Embedding, Executor
from anagnorisisd.embedding.embedder import EmbedderSettings, Samples, Vector
from anagnorisisd.embedding.mert import inference, model, model_files
from anagnorisisd.embedding.mert import plan as mert_plan
from anagnorisisd.embedding.mert.inference import Engine, EnginePlan
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed, WeightsUnreadable
from anagnorisisd.extras import install_command
from tests.support import mert
from tests.support.songs import RATE, calm, encode, wild

SMALL = mert.CONFIG | mert.SMALL
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning:transformers")]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model directory, with a small MERT in it."""
    models = tmp_path_factory.mktemp("models")
    mert.make_folder(models / MERT.name)
    return models


def plan(models: Path, cache: Path, engine: Engine = Engine.TORCH, layer: int = 3) -> EnginePlan:
    found = model_files.inspect(models / MERT.name)
    assert found
    return EnginePlan(str(found.path), found.sha256, layer, engine, False, 2, str(cache))


def windows(count: int = 2, seed: int = 0) -> Samples:
    noise = np.random.default_rng(seed).normal(size=(count, inference.WINDOW_SAMPLES))
    return inference.normalised(noise.astype(np.float32))


def settings(models: Path, cache: Path, **wishes: Any) -> EmbedderSettings:
    section = Embedding.model_validate({"layer": 3, "device": Device.CPU} | wishes)
    return EmbedderSettings(section, models, cache)


def test_the_checkpoint_of_the_tests_has_the_published_layout() -> None:
    shapes = mert.shapes(mert.CONFIG | mert.REAL)

    assert len(shapes) == 211
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 94_371_712


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_every_layer_is_what_the_arithmetic_says(small: Path, layer: int) -> None:
    weights = torch.load(small / MERT.name / "pytorch_model.bin", weights_only=True)
    samples = torch.randn(24_000, generator=torch.Generator().manual_seed(1))
    expected = mert.forward(weights, SMALL, samples)[layer]

    with torch.inference_mode():
        state = model.load(small / MERT.name, layer)(samples[None]).last_hidden_state[0]

    assert state.shape == expected.shape
    assert float((state - expected).abs().max()) < 5e-5


def test_a_vector_is_the_mean_over_frames_and_windows(small: Path, tmp_path: Path) -> None:
    weights = torch.load(small / MERT.name / "pytorch_model.bin", weights_only=True)
    given = windows()
    states = [mert.forward(weights, SMALL, torch.from_numpy(window))[3] for window in given]

    vector = inference.embed(given, plan(small, tmp_path))

    assert states[0].shape == (374, SMALL["hidden_size"])
    expected = torch.stack([state.mean(0) for state in states]).mean(0).numpy()
    assert vector == pytest.approx(expected, abs=5e-5)


def test_a_lossless_copy_is_the_same_and_a_good_lossy_one_nearly(
    small: Path, tmp_path: Path
) -> None:
    songs = [wild(number) if number % 2 else calm(number) for number in range(4)]
    wav, flac, mp3 = (
        np.stack([_vector(small, encode(tmp_path / f"song.{kind}", song)) for song in songs])
        for kind in ("wav", "flac", "mp3")
    )

    assert (wav == flac).all()
    assert _cosines(wav, mp3).min() > 0.98


def _vector(models: Path, path: Path) -> Vector:
    return inference.embed(inference.read(str(path)), plan(models, path.parent))


def test_windows_are_normalised_each_for_itself() -> None:
    loud = np.stack([windows(1)[0] * 3 + 1, windows(1, seed=1)[0] * 0.001])

    normalised = inference.normalised(loud.astype(np.float32))

    assert normalised.mean(axis=1) == pytest.approx([0, 0], abs=1e-3)
    assert normalised.std(axis=1) == pytest.approx([1, 1], abs=0.06)


def test_a_short_track_is_repeated_until_it_fills_a_window(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, wild(0)[: 2 * RATE], RATE)

    read = inference.read(str(path))

    assert read.shape == (1, inference.WINDOW_SAMPLES)
    assert (read[0, :24_000] == read[0, 48_000:72_000]).all()


def test_openvino_equals_torch(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    reference = inference.on_torch(plan(small, tmp_path))
    converted = inference.on_openvino(
        plan(small, tmp_path, Engine.OPENVINO), inference.WINDOW_SAMPLES
    )
    (kept,) = tmp_path.glob("mert-*/model.bin")
    written = kept.stat().st_mtime_ns
    songs = [windows(1, seed) for seed in range(4)]

    ours, theirs = (np.concatenate([run(song) for song in songs]) for run in (reference, converted))
    again = inference.on_openvino(plan(small, tmp_path, Engine.OPENVINO), inference.WINDOW_SAMPLES)

    assert _cosines(ours, theirs).min() > 0.99
    assert (again(songs[0]) == theirs[0]).all()
    assert kept.stat().st_mtime_ns == written, "it was converted a second time"
    assert not list(tmp_path.glob(".mert-*"))


def test_a_broken_openvino_costs_nothing(
    small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    wanted = plan(small, tmp_path / "file", Engine.OPENVINO)  # no folder to convert into

    vector = inference.start(wanted, inference.WINDOW_SAMPLES)(windows())

    assert vector == pytest.approx(inference.on_torch(plan(small, tmp_path))(windows()), abs=1e-5)


@pytest.mark.skipif(not mert_plan.has_bfloat16(), reason="the processor has no bfloat16")
@pytest.mark.parametrize("engine", [Engine.TORCH, Engine.OPENVINO])
def test_half_precision_is_close_to_full_precision(
    small: Path, tmp_path: Path, engine: Engine
) -> None:
    if engine is Engine.OPENVINO:
        pytest.importorskip("openvino")
    precise = inference.on_torch(plan(small, tmp_path))
    fast = inference.start(
        replace(plan(small, tmp_path, engine), bfloat16=True), inference.WINDOW_SAMPLES
    )
    songs = [windows(1, seed) for seed in range(6)]

    ours, theirs = (np.concatenate([run(song) for song in songs]) for run in (precise, fast))

    assert (ours != theirs).any()
    assert (fast(songs[0]) == theirs[0]).all(), "it must repeat bit for bit"
    assert _cosines(ours, theirs).min() > 0.95


def _cosines(one: Samples, other: Samples) -> Samples:
    one, other = one - one.mean(axis=0), other - one.mean(axis=0)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def _without(name: str) -> Callable[[mert.Weights], object]:
    return lambda weights: weights.pop(name)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_without("encoder.pos_conv_embed.conv.weight_g"), "pos_conv_embed"),
        (_without("encoder.pos_conv_embed.conv.weight_v"), "pos_conv_embed"),
        (_without("encoder.layers.2.final_layer_norm.bias"), "final_layer_norm"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "extra"),
        (
            lambda weights: weights.update({"encoder.layer_norm.bias": torch.zeros(7)}),
            "encoder.layer_norm.bias",
        ),
    ],
)
def test_weights_that_do_not_fit_exactly_are_refused(
    tmp_path: Path, damage: Callable[[mert.Weights], object], reason: str
) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    weights = mert.random_weights(SMALL, 0)
    damage(weights)
    torch.save(weights, path / "pytorch_model.bin")

    with pytest.raises(EmbedderUnusable, match=reason):
        model.load(path, 3)


class Malice:
    """Would write a file if it were unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("save", [torch.save, lambda it, path: path.write_bytes(pickle.dumps(it))])
def test_code_among_the_weights_is_refused_unexecuted(
    tmp_path: Path, save: Callable[[Any, Path], object]
) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    save({"encoder.layer_norm.bias": Malice(tmp_path / "victim")}, path / "pytorch_model.bin")

    with pytest.raises(EmbedderUnusable, match="cannot be loaded as weights"):
        model.load(path, 3)

    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 rubbish"])
def test_rubbish_is_refused(tmp_path: Path, content: bytes) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "pytorch_model.bin").write_bytes(content)

    with pytest.raises(EmbedderUnusable, match="cannot be loaded as weights"):
        model.load(path, 3)


def test_no_folder_is_no_offer(tmp_path: Path) -> None:
    assert mert_plan.offer(settings(tmp_path, tmp_path)) is None


def test_a_git_lfs_pointer_is_explained(small: Path, tmp_path: Path) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "pytorch_model.bin").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:a2b8\nsize 377552987\n"
    )

    with pytest.raises(EmbedderUnusable, match="git lfs pull"):
        mert_plan.offer(settings(tmp_path, tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [("model_type", "hubert"), ("do_stable_layer_norm", True), ("attention_relax", 32.0),
     ("feature_extractor_cqt", True), ("sample_rate", 16_000), ("layer_norm_eps", None)],
)  # fmt: skip
def test_another_architecture_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "config.json").write_text(json.dumps(SMALL | {key: value}))

    with pytest.raises(EmbedderUnusable, match=key):
        mert_plan.offer(settings(tmp_path, tmp_path))


HOSTILE: tuple[object, ...] = (
    0,
    -1,
    1e9,
    10**9,
    10**4000,
    True,
    None,
    "12",
    [],
    {},
    float("nan"),
    [1],
    [10**9] * 7,
)


@pytest.mark.parametrize("key", [*model_files.SIZES, *model_files.PER_LAYER])
def test_a_number_that_no_model_has_is_the_embedders_failure(tmp_path: Path, key: str) -> None:
    path = mert.make_folder(tmp_path / MERT.name)

    def tried() -> None:
        assert mert_plan.offer(settings(tmp_path, tmp_path))
        model.load(path, 3)

    for value in HOSTILE:
        (path / "config.json").write_text(json.dumps(SMALL | {key: value}))
        with pytest.raises(EmbedderUnusable, match=r"config\.json|fit MERT"):
            tried()


@pytest.mark.parametrize(
    "change", [{"num_attention_heads": 5}, {"num_conv_pos_embedding_groups": 7}], ids=str
)
async def test_numbers_that_contradict_each_other_fail_no_track(
    tmp_path: Path, change: dict[str, int]
) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "config.json").write_text(json.dumps(SMALL | change))
    plan = mert_plan.offer(settings(tmp_path, tmp_path))
    assert plan
    soundfile.write(tmp_path / "song.flac", calm(0), RATE)
    embedder = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=100)
    try:
        with pytest.raises(EmbedderUnusable, match=r"config\.json"):
            await embedder.embed(str(tmp_path / "song.flac"))
    finally:
        await embedder.close()


def test_unknown_config_keys_do_not_reach_transformers(tmp_path: Path) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    odd = {"vocab_size": "many", "attn_implementation": "nobody's", "id2label": 7, "layerdrop": 2}
    (path / "config.json").write_text(json.dumps(SMALL | odd))

    assert model.load(path, 3)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "[" * 100_000, " " * (2 << 20)])
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "config.json").write_text(content)

    with pytest.raises(EmbedderUnusable, match=r"config\.json"):
        mert_plan.offer(settings(tmp_path, tmp_path))


def test_weights_that_are_not_the_published_ones_are_used_but_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mert.make_folder(tmp_path / MERT.name, seed=5)

    with caplog.at_level(logging.WARNING):
        assert mert_plan.offer(settings(tmp_path, tmp_path))
        assert mert_plan.offer(settings(tmp_path, tmp_path))

    assert [record.message.split()[1:6] for record in caplog.records] == [
        ["is", "not", "the", "published", "MERT-v1-95M;"]
    ]


def test_stamp_depends_on_weights_and_layer(tmp_path: Path) -> None:
    mert.make_folder(tmp_path / "one" / MERT.name, seed=1)
    mert.make_folder(tmp_path / "two" / MERT.name, seed=2)

    plans = [
        mert_plan.offer(settings(tmp_path / "one", tmp_path)),
        mert_plan.offer(settings(tmp_path / "two", tmp_path)),
        mert_plan.offer(settings(tmp_path / "one", tmp_path, layer=2)),
    ]

    assert len({plan.stamp for plan in plans if plan}) == 3


def test_the_stamp_names_the_windows_as_it_always_did(small: Path, tmp_path: Path) -> None:
    plan = mert_plan.offer(settings(small, tmp_path))

    assert plan
    assert plan.stamp.version.split("-")[1:3] == ["layer3", "5x5s"]


def test_other_windows_are_another_stamp() -> None:
    change = (
        "from anagnorisisd.embedding.mert import inference\n"
        "inference.WINDOWS, inference.WINDOW_SECONDS = 7, 2.5\n"
        "from anagnorisisd.embedding.mert import plan\n"
        "print(plan.WINDOW_PLAN)"
    )

    told = subprocess.run(
        [sys.executable, "-c", change], capture_output=True, text=True, check=True
    )

    assert told.stdout == "7x2.5s\n"


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def unreadable_disk(path: Path) -> None:
    """Let the weights be a file of which no byte can be read: EIO."""
    (path / "pytorch_model.bin").unlink()
    (path / "pytorch_model.bin").symlink_to("/proc/self/mem")


def test_unreadable_weights_are_logged_and_another_embedder_used(
    without_musicnn: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable_disk(mert.make_folder(tmp_path / MERT.name))
    chooser = EmbedderSelector(settings(tmp_path, tmp_path))

    assert [chooser.plan().stamp.name for _ in range(3)] == ["features"] * 3

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "Input/output error" in record.getMessage()


def test_unreadable_model_directory_keeps_the_embedder(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    chooser = EmbedderSelector(settings(tmp_path, tmp_path))
    assert chooser.wanted().name == "mert"

    path.chmod(0)
    request.getfixturevalue("nobody")

    with pytest.raises(WeightsUnreadable, match="Permission denied"):
        chooser.wanted()


async def test_weights_that_a_worker_cannot_read_are_tried_again(tmp_path: Path) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    plan = mert_plan.offer(settings(tmp_path, tmp_path))
    assert plan
    unreadable_disk(path)
    soundfile.write(tmp_path / "song.flac", calm(0), RATE)
    embedder = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=100)
    try:
        with pytest.raises(WeightsUnreadable):
            await embedder.embed(str(tmp_path / "song.flac"))
    finally:
        await embedder.close()


def test_a_pipe_in_place_of_the_configuration_is_not_waited_for(tmp_path: Path) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "config.json").unlink()
    os.mkfifo(path / "config.json")

    with pytest.raises(EmbedderUnusable, match="not a regular file"):
        mert_plan.offer(settings(tmp_path, tmp_path))


def test_auto_takes_mert_once_its_weights_are_there(without_musicnn: None, tmp_path: Path) -> None:
    chooser = EmbedderSelector(settings(tmp_path, tmp_path))
    assert chooser.wanted().name == "features"

    mert.make_folder(tmp_path / MERT.name)
    assert chooser.wanted().name == "mert"

    chooser.refuse(chooser.wanted())
    assert chooser.wanted().name == "features"


def test_auto_without_torch_uses_features_and_logs_the_reason(
    small: Path,
    without_musicnn: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("anagnorisisd.extras.find_spec", lambda name: None)
    chooser = EmbedderSelector(settings(small, tmp_path))

    assert chooser.wanted().name == "features"
    assert install_command("mert") in chooser.not_installed
    # The first look at a checkpoint also says that it is not the published one.
    messages = [record.message for record in caplog.records]
    assert [message for message in messages if "installs" in message] == [chooser.not_installed]
    with pytest.raises(EmbedderUnusable, match="torch or transformers is not installed"):
        mert_plan.offer(settings(small, tmp_path))


def test_a_daemon_whose_vectors_are_made_elsewhere_needs_no_torch(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anagnorisisd.extras.find_spec", lambda name: None)

    offered = mert_plan.offer(settings(small, tmp_path, executor=Executor.DASK))

    assert offered
    assert offered.stamp.name == "mert"


def test_configured_mert_without_torch_is_an_error(tmp_path: Path) -> None:
    chooser = EmbedderSelector(settings(tmp_path, tmp_path, embedder=EmbedderChoice.MERT))

    with pytest.raises(EmbedderUnusable, match="fetch-model"):
        chooser.plan()


async def test_files_become_vectors_and_no_code_of_the_folder_runs(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mert_plan, "is_installed", lambda extra: extra == "mert")  # the reference
    plan = mert_plan.offer(settings(small, tmp_path / "cache", workers=2))
    assert plan
    for name, song in (("calm.flac", calm(0)), ("wild.flac", wild(0))):
        soundfile.write(tmp_path / name, song, RATE)
    (tmp_path / "text.mp3").write_text("no music")
    embedder = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=100)
    try:
        one, again, other, bad = await asyncio.gather(
            *(embedder.embed(str(tmp_path / name)) for name in
              ("calm.flac", "calm.flac", "wild.flac", "text.mp3")),
            return_exceptions=True,
        )  # fmt: skip
    finally:
        await embedder.close()
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert (one == again).all()
    assert np.isfinite(one).all()
    assert np.abs(one - other).max() > 0.01
    assert isinstance(bad, EmbeddingFailed)


async def test_weights_that_cannot_be_used_fail_no_track(tmp_path: Path) -> None:
    path = mert.make_folder(tmp_path / MERT.name)
    (path / "pytorch_model.bin").write_bytes(b"rubbish")
    plan = mert_plan.offer(settings(tmp_path, tmp_path))
    assert plan
    soundfile.write(tmp_path / "song.flac", calm(0), RATE)
    embedder = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=100)
    try:
        with pytest.raises(EmbedderUnusable):
            await embedder.embed(str(tmp_path / "song.flac"))
    finally:
        await embedder.close()


def test_no_network_access_while_a_model_is_loaded(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something wanted to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    inference.on_openvino(plan(small, tmp_path, Engine.OPENVINO, layer=1), inference.WINDOW_SAMPLES)


@pytest.mark.parametrize(
    ("device", "driver", "openvino", "bfloat16", "engine"),
    [
        (Device.AUTO, False, False, True, Engine.TORCH),
        (Device.AUTO, False, True, True, Engine.OPENVINO),
        (Device.AUTO, False, True, False, Engine.TORCH),
        (Device.AUTO, True, True, True, Engine.CUDA),
        (Device.CPU, True, True, True, Engine.OPENVINO),
        (Device.CUDA, True, True, True, Engine.CUDA),
    ],
)
def test_the_engine_that_is_usually_the_fastest_is_taken_before_a_measurement(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: Device,
    driver: bool,
    openvino: bool,
    bfloat16: bool,
    engine: Engine,
) -> None:
    monkeypatch.setattr(mert_plan, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(mert_plan, "is_installed", lambda extra: extra == "mert" or openvino)
    monkeypatch.setattr(mert_plan, "_has_cuda", lambda: driver)

    offered = mert_plan.offer(settings(small, tmp_path, device=device, workers=3))

    assert offered
    reading, modelling = offered.stages
    assert (reading.workers, modelling.workers, modelling.threads) == (1, 1, 3)
    assert modelling.arguments[0].engine is engine


def test_a_gpu_that_is_not_there_is_refused_unless_others_embed(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mert_plan, "_has_cuda", lambda: False)

    with pytest.raises(EmbedderUnusable, match=r"no NVIDIA driver.*set embedding\.device to auto"):
        mert_plan.offer(settings(small, tmp_path, device=Device.CUDA))
    elsewhere = settings(small, tmp_path, device=Device.CUDA, executor=Executor.DASK)
    offered = mert_plan.offer(elsewhere)

    assert offered
    assert offered.stages[-1].arguments[0].engine is Engine.CUDA


@pytest.mark.parametrize(
    ("device", "openvino", "bfloat16", "precision"),
    [
        (Device.CPU, True, True, "bf16-openvino"),
        (Device.CPU, False, True, "bf16-torch"),
        (Device.CPU, True, False, "f32"),
        (Device.CPU, False, False, "f32"),
        (Device.CUDA, True, True, "f32"),
    ],
)
def test_stamp_depends_on_the_precision(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: Device,
    openvino: bool,
    bfloat16: bool,
    precision: str,
) -> None:
    monkeypatch.setattr(mert_plan, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(mert_plan, "_has_cuda", lambda: True)
    monkeypatch.setattr(mert_plan, "is_installed", lambda extra: extra == "mert" or openvino)

    offered = mert_plan.offer(settings(small, tmp_path, device=device))

    assert offered
    assert offered.stamp.version.endswith(f"-5x5s-{precision}")
    assert offered.stages[-1].arguments[0].bfloat16 is (precision != "f32")


def test_a_layer_that_the_model_does_not_have_is_named(small: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnusable, match=r"embedding\.layer: 7 is above"):
        mert_plan.offer(settings(small, tmp_path, layer=7))
