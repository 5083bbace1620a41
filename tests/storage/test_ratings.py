"""Ratings: what counts, what is remembered, and what undo takes back."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import (
    InvalidValue,
    NothingToUndo,
    RatedMeanwhile,
    StoreError,
    UnknownTrack,
)
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from tests.support.library import EPOCH, STAMP, add_rated, add_tracks, predict, track_id


async def rating_of(stores: Stores, track: TrackId) -> float | None:
    """Return the rating that counts."""
    return (await stores.library.track(track, STAMP)).rating


async def test_newest_rating_counts_and_the_history_stays(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    await stores.ratings.rate(track, 3, at=EPOCH, source="one")
    # A clock that was set back changes nothing: the order of arrival counts.
    change = await stores.ratings.rate(track, 7.25, at=EPOCH - 99, source="two")
    assert (change.previous, change.rating.value) == (3, 7.25)
    assert await rating_of(stores, track) == 7.25
    history = await stores.ratings.history(limit=10)
    assert [(entry.value, entry.rated_at, entry.source) for entry in history] == [
        (7.25, EPOCH - 99, "two"),
        (3.0, EPOCH, "one"),
    ]


async def test_same_value_again_is_a_fresh_word(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 7})
    change = await stores.ratings.rate(track, 7, at=EPOCH + 1, source="test")
    assert change.previous == 7
    assert len(await stores.ratings.history(limit=10)) == 2


async def test_cleared_is_not_zero(stores: Stores) -> None:
    cleared, zero = await add_rated(stores, {"a.mp3": 7, "b.mp3": 0})
    change = await stores.ratings.rate(cleared, None, at=EPOCH, source="test")
    assert (change.rating.value, change.previous) == (None, 7)
    assert await rating_of(stores, cleared) is None
    assert await rating_of(stores, zero) == 0
    assert set(await stores.ratings.current()) == {zero}
    assert await stores.ratings.summary() == (1, 0.0)


async def test_no_ratings_have_no_mean(stores: Stores) -> None:
    assert await stores.ratings.summary() == (0, None)


async def test_unknown_track_cannot_be_rated(stores: Stores) -> None:
    with pytest.raises(UnknownTrack):
        await stores.ratings.rate(track_id("nothing"), 5, at=EPOCH, source="test")
    assert await stores.ratings.history(limit=10) == []


@pytest.mark.parametrize("value", [-0.1, 10.1])
async def test_no_rating_out_of_range_is_ever_stored(stores: Stores, value: float) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    with pytest.raises(StoreError):
        await stores.ratings.rate(track, value, at=EPOCH, source="test")
    assert await stores.ratings.history(limit=10) == []


async def test_missing_track_can_be_rated(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    await stores.library.mark_missing([Uri("a.mp3")], EPOCH)
    await stores.ratings.rate(track, 5, at=EPOCH, source="test")
    assert await rating_of(stores, track) == 5


@pytest.mark.parametrize(
    ("rating", "predicted", "delta", "expected"),
    [
        (7.0, None, 1.0, 8.0),
        (9.5, None, 1.0, 10.0),
        (0.5, None, -1.0, 0.0),
        (7.0, 2.0, 1.0, 8.0),
        (None, 6.3, 1.0, 7.5),
        (None, 6.2, -0.5, 5.5),
        (None, None, 1.0, 5.0),
    ],
)
async def test_relative_rating_starts_from_what_is_known(
    stores: Stores, rating: float | None, predicted: float | None, delta: float, expected: float
) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    if rating is not None:
        await stores.ratings.rate(track, rating, at=EPOCH, source="test")
    if predicted is not None:
        await predict(stores, {track: predicted})
    change = await stores.ratings.rate(
        track, None, delta=delta, default=4.0, at=EPOCH, source="test"
    )
    assert (change.rating.value, change.previous) == (expected, rating)


async def test_relative_rating_without_a_default_starts_in_the_middle(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    change = await stores.ratings.rate(track, None, delta=1, at=EPOCH, source="test")
    assert change.rating.value == 6


async def test_malformed_delta_changes_nothing(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    with pytest.raises(InvalidValue):
        await stores.ratings.rate(track, None, delta=float("nan"), at=EPOCH, source="test")
    assert await stores.ratings.history(limit=10) == []


async def test_repeated_request_is_answered_but_not_repeated(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 5})
    first = await stores.ratings.rate(
        track, None, delta=1, at=EPOCH, source="test", request_id="key press"
    )
    await stores.ratings.rate(track, 9, at=EPOCH, source="test")
    again = await stores.ratings.rate(
        track, None, delta=1, at=EPOCH + 5, source="test", request_id="key press"
    )
    assert again == first
    assert await rating_of(stores, track) == 9


async def test_repeated_undo_request_takes_back_once(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 5})
    await stores.ratings.rate(track, 6, at=EPOCH, source="test")
    first = await stores.ratings.undo(at=EPOCH, source="test", request_id="undo")
    assert await stores.ratings.undo(at=EPOCH, source="test", request_id="undo") == first
    assert await rating_of(stores, track) == 5


async def test_undo_walks_back_across_tracks_and_new_changes(stores: Stores) -> None:
    a, b = await add_rated(stores, {"a.mp3": 1, "b.mp3": 2})
    await stores.ratings.rate(a, 3, at=EPOCH, source="test")
    await stores.ratings.undo(at=EPOCH, source="test")
    assert await rating_of(stores, a) == 1
    await stores.ratings.rate(a, None, at=EPOCH, source="test")
    values = []
    for _ in range(3):
        change = await stores.ratings.undo(at=EPOCH, source="undo")
        values.append((change.rating.track_id, change.previous, change.rating.value))
    assert values == [(a, None, 1), (b, 2, None), (a, 1, None)]
    with pytest.raises(NothingToUndo):
        await stores.ratings.undo(at=EPOCH, source="undo")
    assert await stores.ratings.summary() == (0, None)


async def test_history_by_track_and_page(stores: Stores) -> None:
    a, _ = await add_rated(stores, {"a.mp3": 1, "b.mp3": 2})
    await stores.ratings.rate(a, 3, at=EPOCH, source="test")
    newest, *_ = await stores.ratings.history(limit=1)
    assert newest.value == 3
    older = await stores.ratings.history(limit=10, before=newest.sequence)
    assert [entry.value for entry in older] == [2, 1]
    of_a = await stores.ratings.history(track_id=a, limit=10)
    assert [entry.value for entry in of_a] == [3, 1]
    assert await stores.ratings.history(track_id=track_id("nothing"), limit=10) == []
    assert await stores.ratings.history(limit=10, before=0) == []


async def test_fifty_ratings_at_once_all_count(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 0})
    changes = await asyncio.gather(
        *(stores.ratings.rate(track, None, delta=0.1, at=EPOCH, source="test") for _ in range(50))
    )
    assert len({change.rating.sequence for change in changes}) == 50
    assert await rating_of(stores, track) == pytest.approx(5.0)


@pytest.mark.parametrize("statement", ["DELETE FROM ratings", "UPDATE ratings SET value = 1"])
async def test_history_cannot_be_rewritten(stores: Stores, statement: str, tmp_path: Path) -> None:
    await add_rated(stores, {"a.mp3": 7})
    other = sqlite3.connect(tmp_path / "state" / FILE_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()


async def test_a_rating_that_is_to_follow_another_one_does_not_overwrite_a_newer_one(
    stores: Stores,
) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    first = await stores.ratings.rate(track, 7, at=EPOCH, source="test", after=0)
    for after in (0, first.rating.sequence + 1):
        with pytest.raises(RatedMeanwhile):
            await stores.ratings.rate(track, 3, at=EPOCH, source="test", after=after)
    await stores.ratings.rate(track, None, at=EPOCH, source="test", after=first.rating.sequence)

    newest = await stores.ratings.newest()

    assert newest[track].value is None
    assert newest[track].sequence > first.rating.sequence
    assert await stores.ratings.newest([track_id("b.mp3")]) == {}


class UndoMachine(RuleBasedStateMachine):
    """Any order of rating, clearing and undoing, against a list of what happened."""

    TRACKS = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.values: dict[str, float | None] = dict.fromkeys(self.TRACKS)
        self.standing: list[tuple[str, float | None]] = []

    @initialize()
    def fill(self) -> None:
        self.stores = self.runner.run(open_stores(Path(self.folder.name)))
        self.runner.run(add_tracks(self.stores, *self.TRACKS))

    @rule(name=st.sampled_from(TRACKS), value=st.none() | st.floats(0, 10))
    def rate(self, name: str, value: float | None) -> None:
        change = self.runner.run(
            self.stores.ratings.rate(track_id(name), value, at=EPOCH, source="test")
        )
        assert change.previous == self.values[name]
        self.standing.append((name, self.values[name]))
        self.values[name] = value

    @rule()
    def undo(self) -> None:
        undo = self.stores.ratings.undo(at=EPOCH, source="test")
        if not self.standing:
            with pytest.raises(NothingToUndo):
                self.runner.run(undo)
            return
        name, before = self.standing.pop()
        change = self.runner.run(undo)
        assert change.rating.track_id == track_id(name)
        assert (change.previous, change.rating.value) == (self.values[name], before)
        self.values[name] = before

    @rule()
    def restart(self) -> None:
        self.runner.run(self.stores.close())
        self.stores = self.runner.run(open_stores(Path(self.folder.name)))

    @invariant()
    def what_counts_is_known(self) -> None:
        current = self.runner.run(self.stores.ratings.current())
        rated = {track: entry.value for track, entry in current.items()}
        expected = {track_id(name): value for name, value in self.values.items()}
        assert rated == {track: value for track, value in expected.items() if value is not None}

    def teardown(self) -> None:
        self.runner.run(self.stores.close())
        self.runner.close()
        self.folder.cleanup()


TestUndo = pytest.mark.slow(UndoMachine.TestCase)
TestUndo.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
