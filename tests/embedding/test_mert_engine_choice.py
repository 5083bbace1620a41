"""Which of MERT's engines is used: the one that was measured to be faster on this computer."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anagnorisisd.config.schema import Device, EmbedderChoice, Embedding, Executor
from anagnorisisd.domain.embedding import EmbeddingPlan
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.mert import engine_choice, inference, plan
from anagnorisisd.embedding.mert.engine_choice import FILE_NAME, MAX_ATTEMPTS, EngineTimes
from anagnorisisd.embedding.mert.inference import Engine, EnginePlan
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from tests.support import mert
from tests.support.songs import calm, encode

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning:transformers")]
pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    mert.make_folder(folder / MERT.name)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def settings(models: Path, cache: Path, **wishes: Any) -> EmbedderSettings:
    section = Embedding.model_validate(
        {"embedder": EmbedderChoice.MERT, "layer": 3, "device": Device.CPU, "workers": 2} | wishes
    )
    return EmbedderSettings(section, models, cache)


def offered(models: Path, cache: Path, **wishes: Any) -> EmbeddingPlan:
    found = plan.offer(settings(models, cache, **wishes))
    assert found is not None
    return found


def engine_plan(offer: EmbeddingPlan) -> EnginePlan:
    found = offer.stages[-1].arguments[0]
    assert isinstance(found, EnginePlan)
    return found


@pytest.fixture(params=[False, True], ids=["float32", "bfloat16"])
def bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(plan, "has_bfloat16", lambda: request.param)
    return bool(request.param)


def store(models: Path, cache: Path, **changes: Any) -> None:
    """Store a measurement as of this computer, with changes."""
    content = {
        "conditions": engine_plan(offered(models, cache)).measure_as,
        "seconds": {"torch": 1.0, "openvino": 1.0},
        "attempts": 1,
    }
    cache.mkdir(exist_ok=True)
    (cache / FILE_NAME).write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    ("seconds", "precise", "halved"),
    [
        ({"torch": 1.0, "openvino": 1.5}, Engine.TORCH, Engine.TORCH),
        ({"torch": 1.0, "openvino": 1.1}, Engine.TORCH, Engine.OPENVINO),
        ({"torch": 1.0, "openvino": 0.9}, Engine.OPENVINO, Engine.OPENVINO),
        ({"torch": 1.0}, Engine.TORCH, Engine.TORCH),
    ],
)
def test_a_measurement_decides(
    models: Path,
    cache: Path,
    bfloat16: bool,
    seconds: Mapping[str, float],
    precise: Engine,
    halved: Engine,
) -> None:
    store(models, cache, seconds=seconds)

    chosen = engine_plan(offered(models, cache))

    assert chosen.engine is (halved if bfloat16 else precise)
    assert not chosen.measure_as


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"conditions": 1}', "\xff", '{"conditions": null, "seconds": []}'],
)
def test_a_damaged_measurement_is_made_again(models: Path, cache: Path, content: str) -> None:
    cache.mkdir()
    (cache / FILE_NAME).write_text(content, encoding="latin-1")

    assert engine_plan(offered(models, cache)).measure_as


@pytest.mark.parametrize("changes", [{"seconds": {"torch": "?"}}, {"seconds": {"quick": 1}}])
def test_values_that_cannot_be_are_measured_again(
    models: Path, cache: Path, changes: dict[str, Any]
) -> None:
    store(models, cache, **changes)

    assert engine_plan(offered(models, cache)).measure_as


def test_another_processor_version_or_model_is_measured_again(
    models: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(models, cache)

    def measured_again() -> bool:
        return bool(engine_plan(offered(models, cache)).measure_as)

    assert not measured_again()
    assert engine_plan(offered(models, cache, layer=2)).measure_as
    assert engine_plan(offered(models, cache, workers=3)).measure_as
    with monkeypatch.context() as patch:
        patch.setattr(engine_choice, "_processor", lambda: "another one")
        assert measured_again()
    with monkeypatch.context() as patch:
        patch.setattr(engine_choice, "version", lambda package: "99")
        assert measured_again()


def test_a_measurement_that_is_interrupted_again_and_again_is_given_up(
    models: Path, cache: Path, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        """Stands for the end of the process."""

    def crash(*_: object) -> None:
        raise Crash

    monkeypatch.setattr(inference, "on_openvino", crash)
    for _ in range(MAX_ATTEMPTS):
        asked = engine_plan(offered(models, cache))
        assert asked.measure_as
        with pytest.raises(Crash):
            engine_choice.measure(asked)

    given_up = engine_plan(offered(models, cache))

    assert not given_up.measure_as
    assert given_up.engine is (Engine.OPENVINO if bfloat16 else Engine.TORCH)


async def test_the_worker_measures_before_its_first_track(
    models: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "has_bfloat16", lambda: False)
    before = offered(models, cache)
    embedder = WorkerEmbedder(before, idle_seconds=60, timeout_seconds=100)
    try:
        vector = await embedder.embed(str(encode(tmp_path / "song.flac", calm(0))))
    finally:
        await embedder.close()

    stored = json.loads((cache / FILE_NAME).read_text())
    after = offered(models, cache)
    windows = inference.read(str(tmp_path / "song.flac"))
    expected = inference.embed(windows, replace(engine_plan(before), measure_as=""))
    seconds = stored["seconds"]
    assert set(seconds) == {"torch", "openvino"}
    assert engine_plan(after).engine == min(seconds, key=seconds.__getitem__)
    assert after.stamp == before.stamp
    # OpenVINO keeps the weights in 16 bits.
    assert np.abs(vector - expected).max() < 0.02


def test_a_stored_measurement_is_not_repeated_by_the_next_worker(
    models: Path, cache: Path, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = engine_plan(offered(models, cache))
    store(models, cache, seconds={"torch": 1.0, "openvino": 9.0})
    monkeypatch.setattr(engine_choice, "_times", lambda runs: pytest.fail("it was measured again"))
    started: list[Engine] = []
    monkeypatch.setattr(inference, "start", lambda taken, samples: started.append(taken.engine))

    engine_choice.measure(asked)

    assert started == [asked.engine if bfloat16 else Engine.TORCH]


def test_in_bfloat16_the_daemon_changes_to_the_faster_engine(
    models: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "has_bfloat16", lambda: True)
    selector = EmbedderSelector(settings(models, cache))
    before = selector.wanted()
    store(models, cache, seconds={"torch": 1.0, "openvino": 2.0})

    assert before.version.endswith("bf16-openvino")
    assert selector.wanted().version.endswith("bf16-torch")


def test_a_directory_that_cannot_be_written_costs_only_the_measurement(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    asked = replace(engine_plan(offered(models, tmp_path)), cache_directory=f"{tmp_path}/file")

    run = engine_choice.measure(replace(asked, bfloat16=False))

    assert run(np.zeros((1, inference.WINDOW_SAMPLES), np.float32)).shape == (1, 32)
    assert "cannot be stored" in caplog.text


@pytest.mark.parametrize("wishes", [{"executor": Executor.DASK}])
def test_nothing_is_measured_where_others_embed(
    models: Path, cache: Path, wishes: dict[str, Any]
) -> None:
    assert not engine_plan(offered(models, cache, **wishes)).measure_as


def test_an_unmeasured_engine_is_the_usual_one() -> None:
    nothing = EngineTimes({}, 0)

    assert engine_choice.faster_engine(nothing, bfloat16=True) is Engine.OPENVINO
    assert engine_choice.faster_engine(nothing, bfloat16=False) is Engine.TORCH
