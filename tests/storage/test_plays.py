"""Plays: appended, counted per track, and never rewritten."""

import sqlite3
from pathlib import Path

import pytest

from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.errors import UnknownTrack
from anagnorisisd.storage.stores import FILE_NAME, Stores
from tests.support.library import EPOCH, STAMP, add_tracks, play, track_id


async def test_plays_are_counted_by_outcome(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    for outcome in (PlayOutcome.FULL, PlayOutcome.FULL, PlayOutcome.SKIP, PlayOutcome.NEITHER):
        await stores.plays.append(play(track, outcome))
    found = await stores.library.track(track, STAMP)
    assert (found.play_count, found.skip_count) == (2, 1)


@pytest.mark.parametrize(
    ("outcome", "heard_seconds", "counts"),
    [
        (PlayOutcome.FULL, 180.0, True),
        (PlayOutcome.SKIP, 6.0, True),
        (PlayOutcome.SKIP, 0.0, True),
        (PlayOutcome.NEITHER, 90.0, True),
        (PlayOutcome.NEITHER, 0.0, False),
    ],
)
async def test_last_played_is_when_it_was_last_heard(
    stores: Stores, outcome: PlayOutcome, heard_seconds: float, counts: bool
) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    await stores.plays.append(play(track, outcome, ended_at=EPOCH, heard_seconds=heard_seconds))
    found = await stores.library.track(track, STAMP)
    assert found.last_played_at == (EPOCH if counts else None)


async def test_clock_that_was_set_back_does_not_undo_last_played(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    await stores.plays.append(play(track, ended_at=EPOCH))
    await stores.plays.append(play(track, ended_at=EPOCH - 1000))
    assert (await stores.library.track(track, STAMP)).last_played_at == EPOCH


async def test_recent_plays_come_newest_first(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a.mp3", "b.mp3")
    plays = [play(a), play(b, PlayOutcome.SKIP, heard_seconds=7.5), play(a, PlayOutcome.NEITHER)]
    for each in plays:
        await stores.plays.append(each)
    assert await stores.plays.recent(2) == plays[:0:-1]


async def test_old_plays_that_are_imported_later_are_not_recent(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a.mp3", "b.mp3")
    plays = [play(a, ended_at=EPOCH), play(b, ended_at=EPOCH + 5), play(a, ended_at=EPOCH - 1e6)]
    for each in plays:
        await stores.plays.append(each)

    assert await stores.plays.recent(2) == [plays[1], plays[0]]
    assert await stores.plays.recent(9) == [plays[1], plays[0], plays[2]]


async def test_play_of_an_unknown_track_is_refused(stores: Stores) -> None:
    with pytest.raises(UnknownTrack):
        await stores.plays.append(play(track_id("nothing")))


@pytest.mark.parametrize("statement", ["DELETE FROM plays", "UPDATE plays SET outcome = 'skip'"])
async def test_plays_cannot_be_rewritten(stores: Stores, statement: str, tmp_path: Path) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    await stores.plays.append(play(track))
    other = sqlite3.connect(tmp_path / "state" / FILE_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()
