"""`anagnorisis suggest`: what to rate next, and having it queued."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.player import PlaybackState
from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import (
    EPOCH,
    add_rated,
    add_tracks,
    add_vectors,
    scanned,
    track_id,
    vector,
)
from tests.support.rpc import House, answered, run, said, serving

UNRATED = sorted(("b.ogg", "c.ogg", "d.ogg"), key=track_id)
"""In the order in which `FixedEvaluator` suggests them."""


@pytest.fixture
async def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    """Four embedded tracks, the first one rated, and a stopped player that knows them."""
    house = House.build(stores, clock)
    await add_rated(stores, {"a.ogg": 8})
    ids = [track_id("a.ogg"), *await add_tracks(stores, *UNRATED)]
    await add_vectors(stores, {each: vector(1, 2, 3, row) for row, each in enumerate(ids)})
    house.player.database = {Uri(uri): 200.0 for uri in ("a.ogg", *UNRATED)}
    async with serving(house, tmp_path / "sock"):
        yield house


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


async def queue(house: House) -> list[str]:
    return [entry.uri for entry in await house.player.queue()]


async def test_unrated_tracks_are_listed_and_nothing_is_queued(house: House, socket: Path) -> None:
    assert (await said(socket, "suggest")).splitlines() == [
        f"{uri.removesuffix('.ogg')}, not rated: {uri}" for uri in UNRATED
    ]
    (first,) = await answered(socket, "suggest", "-n", "1")
    assert first["track"]["uri"] == UNRATED[0]
    assert "song_id" not in first
    assert await queue(house) == []


async def test_queue_option_appends_entries_of_the_listener(house: House, socket: Path) -> None:
    house.player.add("a.ogg")

    lines = (await said(socket, "suggest", "-n", "2", "--queue")).splitlines()

    assert lines[-1] == "2 tracks put at the end of the queue"
    assert await queue(house) == ["a.ogg", *UNRATED[:2]]
    assert (await house.player.state()).playback_state is PlaybackState.STOP
    assert await house.stores.queue.entries() == {}


async def test_file_unknown_to_mpd_is_reported_and_the_rest_queued(
    house: House, socket: Path
) -> None:
    del house.player.database[Uri(UNRATED[0])]

    lines = (await said(socket, "suggest", "--queue")).splitlines()

    assert lines[0].endswith(" (not queued: MPD does not know the file)")
    assert lines[-1] == "2 tracks put at the end of the queue"
    assert await queue(house) == UNRATED[1:]


async def test_a_full_queue_is_not_taken_for_an_unknown_file(house: House, socket: Path) -> None:
    house.player.capacity = 1

    done = await run(socket, "suggest", "-n", "2", "--queue")

    assert done.code == 1
    assert done.err == "anagnorisis: the queue is full; 1 of 2 tracks were added\n"
    assert await queue(house) == UNRATED[:1]


async def test_json_has_the_entry_of_what_was_queued(house: House, socket: Path) -> None:
    (first,) = await answered(socket, "suggest", "-n", "1", "--queue")

    (entry,) = await house.player.queue()
    assert int(first["song_id"]) == entry.song_id


@pytest.mark.parametrize(
    "genre", ["Christmas", "christmas/Pop", "Pop, Christmas", "Pop; Christmas"]
)
async def test_excluded_genre_is_not_suggested(house: House, socket: Path, genre: str) -> None:
    files = [
        scanned(UNRATED[0], tags=Tags(genre=genre)),
        scanned(UNRATED[1], tags=Tags(genre="Pop")),
    ]
    await house.stores.library.store_files(files, EPOCH)
    house.picks.reconfigure(schema.Picks(exclude_genres=("Christmas",)))

    lines = (await said(socket, "suggest", "--queue")).splitlines()

    assert lines[-1] == "2 tracks put at the end of the queue"
    assert await queue(house) == UNRATED[1:]


async def test_without_mpd_it_suggests_but_cannot_queue(house: House, socket: Path) -> None:
    house.player.vanish()

    done = await run(socket, "suggest", "--queue")

    assert (done.code, done.err) == (69, "anagnorisis: the player is away\n")
    assert await said(socket, "suggest")


async def test_suggest_without_embedded_tracks(house: House, socket: Path) -> None:
    for uri in UNRATED:
        await house.stores.ratings.rate(track_id(uri), 5, at=0.0, source="test")

    done = await run(socket, "suggest")

    assert (done.code, done.err) == (
        1,
        "anagnorisis: there is no unrated track that is embedded yet\n",
    )


async def test_count_above_the_limit_is_refused(house: House, socket: Path) -> None:
    assert (await run(socket, "suggest", "-n", "101")).code == 2
