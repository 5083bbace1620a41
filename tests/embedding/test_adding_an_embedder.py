"""An embedder is added by one file and one registration, as `docs/embedders.md` says."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anagnorisisd.config.schema import EmbedderChoice, Embedding
from anagnorisisd.embedding import registry
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from tests.support.songs import RATE, calm

DOCUMENT = Path(__file__).parents[2] / "docs" / "embedders.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The example of the document, as an importable module; its name."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    name = "example_loudness"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


async def test_the_example_of_the_document_works(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.OFFERS, "features", __import__(example).offer)
    soundfile.write(tmp_path / "song.flac", calm(0), RATE)
    config = Embedding(embedder=EmbedderChoice.FEATURES)
    chooser = registry.EmbedderSelector(EmbedderSettings(config, tmp_path, tmp_path))

    plan = chooser.plan()
    embedder = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=60)
    try:
        vector = await embedder.embed(str(tmp_path / "song.flac"))
    finally:
        await embedder.close()

    assert embedder.stamp.name == "loudness"
    assert vector.shape == (2,)
    assert np.isfinite(vector).all()


def test_listeners_can_write_every_embedder_that_is_registered() -> None:
    assert {choice.value for choice in EmbedderChoice} == {"auto", *registry.OFFERS}
