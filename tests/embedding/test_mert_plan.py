"""Which engine another computer takes to make the daemon's vectors, and what it refuses."""

import re
from pathlib import Path

import pytest

from anagnorisisd.config.schema import Device, Embedding
from anagnorisisd.domain.embedding import Conditions
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.mert import plan
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.embedding.registry import plan_for
from anagnorisisd.errors import EmbedderUnusable
from anagnorisisd.extras import install_command
from tests.support import mert

GPU, OPENVINO, NOTHING = "gpu", "openvino", "nothing"
TORCH_F32: Conditions = (("engine", "torch"), ("bfloat16", False), ("threads", 3))
OPENVINO_F32: Conditions = (("engine", "openvino"), ("bfloat16", False), ("threads", 3))
OPENVINO_BF16: Conditions = (("engine", "openvino"), ("bfloat16", True), ("threads", 3))
CUDA_F32: Conditions = (("engine", "cuda"), ("bfloat16", False), ("threads", 3))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    mert.make_folder(folder / MERT.name)
    return folder


def made(
    models: Path, asked: Conditions, there: str, device: Device, monkeypatch: pytest.MonkeyPatch
) -> Conditions:
    """Return how a computer with what is `there`, sixteen cores among it, does as `asked`."""
    monkeypatch.setattr(plan, "_has_cuda", lambda: there == GPU)
    monkeypatch.setattr(plan, "has_bfloat16", lambda: True)
    monkeypatch.setattr(plan, "is_installed", lambda it: it == "mert" or there != NOTHING)
    config = Embedding(layer=3, device=device, workers=16)
    offered = plan.offer(EmbedderSettings(config, models, models, asked))
    assert offered is not None
    return offered.conditions


@pytest.mark.parametrize(
    ("asked", "there", "device", "taken"),
    [
        (TORCH_F32, OPENVINO, Device.AUTO, TORCH_F32),
        (OPENVINO_F32, OPENVINO, Device.AUTO, OPENVINO_F32),
        (OPENVINO_BF16, OPENVINO, Device.AUTO, OPENVINO_BF16),
        (OPENVINO_F32, GPU, Device.CPU, OPENVINO_F32),
        (OPENVINO_BF16, GPU, Device.AUTO, OPENVINO_BF16),  # a GPU would make another stamp
    ],
)
def test_requested_engine_and_threads_are_used(
    models: Path,
    asked: Conditions,
    there: str,
    device: Device,
    taken: Conditions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert made(models, asked, there, device, monkeypatch) == taken


@pytest.mark.parametrize("asked", [TORCH_F32, OPENVINO_F32, CUDA_F32])
def test_a_gpu_makes_vectors_in_float32_for_a_daemon_that_has_none(
    models: Path, asked: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = dict(made(models, asked, GPU, Device.AUTO, monkeypatch))

    assert (taken["engine"], taken["bfloat16"]) == ("cuda", False)


@pytest.mark.parametrize(
    ("asked", "device", "reason"),
    [
        (OPENVINO_F32, Device.AUTO, re.escape(install_command("openvino"))),
        (CUDA_F32, Device.CUDA, "no NVIDIA driver"),
    ],
)
def test_unavailable_engine_is_refused_with_the_reason(
    models: Path,
    asked: Conditions,
    device: Device,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(EmbedderUnusable, match=reason):
        made(models, asked, NOTHING, device, monkeypatch)


def test_vectors_of_another_stamp_are_not_made(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EmbedderSettings(Embedding(layer=3, device=Device.CPU), models, tmp_path)
    offered = plan.offer(settings)
    assert offered is not None

    assert plan_for(offered.stamp, settings).stamp == offered.stamp
    with pytest.raises(EmbedderUnusable, match=f"cannot make {offered.stamp}: makes mert-"):
        plan_for(offered.stamp, EmbedderSettings(Embedding(layer=2), models, tmp_path))
