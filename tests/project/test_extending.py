"""The examples of `docs/extending.md` work."""

import re
import sys
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.events import Events
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.models import model_selection, worker_tasks
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.examples import described, training_set
from tests.support.library import add_tracks, track_id

DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
EXAMPLES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))


Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return what imports an example, under a name of its own."""
    monkeypatch.syspath_prepend(tmp_path)

    def module(path: str) -> ModuleType:
        name = f"example_{Path(path).stem}"
        (tmp_path / f"{name}.py").write_text(EXAMPLES[path])
        monkeypatch.delitem(sys.modules, name, raising=False)
        return import_module(name)

    return module


def test_documented_model_is_selected_where_it_is_better(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    artists = load("anagnorisisd/taste/models/artists.py").Artists()
    monkeypatch.setattr(model_selection, "DEFAULT", artists)
    monkeypatch.setattr(model_selection, "CHALLENGERS", ())
    monkeypatch.setattr(model_selection, "MODELS", (model_selection.BASELINE, artists))
    rng = np.random.default_rng(3)
    tags = [Tags(artist=f"Artist {row % 6}") for row in range(60)]
    ratings = np.array([9, 8, 6, 4, 2, 1], float)[np.arange(60) % 6]
    tracks = described(rng.normal(size=(60, 5)).astype(np.float32), tags)

    model = worker_tasks.train(training_set(tracks, ratings), seed=1)
    mean, stddev = worker_tasks.predict(model.blob, tracks)

    assert model.model == "artists"
    assert model.metrics.error_ratio < 0.5
    assert np.corrcoef(mean, ratings)[0, 1] > 0.99
    assert (stddev > 0).all()


async def test_the_source_of_ratings_rates_and_reports_errors(
    load: Load, stores: Stores, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    door = load("anagnorisisd/ratings/lines.py")
    await add_tracks(stores, "a.ogg")
    player = FakePlayer(clock)
    player.database = {Uri("a.ogg"): 100.0}
    player.add("a.ogg")
    await player.play()
    ratings = RatingService(stores.ratings, Events(clock), clock)

    async def typed() -> AsyncIterator[str]:
        for line in ("rate 7", "rate +1 a.ogg", "rate 11", "nonsense"):
            yield line

    await door.Lines(typed(), TrackResolver(stores.library, player), ratings).run()

    history = await stores.ratings.history(track_id=track_id("a.ogg"), limit=10)
    assert [(entry.value, entry.source) for entry in history] == [(8, "lines"), (7, "lines")]
    assert "11 is not between 0 and 10" in caplog.text
    assert "'nonsense' is unknown" in caplog.text
