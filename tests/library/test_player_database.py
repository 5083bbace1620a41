"""What the player does not list is not picked, and the reason is told."""

import asyncio
from pathlib import Path

import pytest

from anagnorisisd.domain.player import PlayerState
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library.player_database import PlayerDatabase, UnlistedTracks
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import add_tracks, scanned
from tests.support.until import until

SONGS = ("a/1.ogg", "a/2.ogg", "b/3.ogg")


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
def player(clock: FakeClock) -> FakePlayer:
    return FakePlayer(clock, dict.fromkeys(SONGS, 100.0))


@pytest.fixture
async def database(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock, tmp_path: Path
) -> PlayerDatabase:
    await add_tracks(stores, *SONGS)
    return PlayerDatabase(stores.library, player, tmp_path.joinpath, events, clock)


async def candidates(stores: Stores) -> set[str]:
    """Return the files of the tracks that can be picked."""
    found = await stores.library.candidates()
    ids = [found.track_id(row) for row in range(len(found))]
    return set((await stores.library.uris(ids)).values())


async def test_all_files_are_listed(
    database: PlayerDatabase, stores: Stores, player: FakePlayer
) -> None:
    await database.compare()

    assert await candidates(stores) == set(SONGS)
    assert (database.unlisted, player.updates) == (UnlistedTracks(0, 3), [])


async def test_an_unlisted_file_is_no_candidate_until_it_is_listed(
    database: PlayerDatabase, stores: Stores, player: FakePlayer, events: Events
) -> None:
    announcements = events.subscribe()
    player.drop("b/3.ogg")
    database.notice(frozenset({"database"}))
    await database.compare()
    await database.compare()

    assert await candidates(stores) == {"a/1.ogg", "a/2.ogg"}
    assert player.updates == ["b"], "asked once to look again"
    assert database.unlisted.tracks == 1
    assert "`mpc update`" in database.unlisted.reason
    assert [each.event for each in announcements.arrived()] == [LibraryChanged()]

    player.database[Uri("b/3.ogg")] = 100.0
    database.notice(frozenset({"database"}))
    await database.compare()

    assert await candidates(stores) == set(SONGS)
    assert database.unlisted == UnlistedTracks(0, 3)


async def test_the_copy_that_is_listed_is_picked(
    database: PlayerDatabase, stores: Stores, player: FakePlayer
) -> None:
    await stores.library.store_files([scanned("copy/3.ogg", audio="b/3.ogg")], 2.0)
    await database.compare()

    assert await candidates(stores) == set(SONGS)
    player.drop("b/3.ogg")
    player.database[Uri("copy/3.ogg")] = 100.0
    database.notice(frozenset({"database"}))
    await database.compare()

    assert await candidates(stores) == {"a/1.ogg", "a/2.ogg", "copy/3.ogg"}
    assert database.unlisted.tracks == 0


async def reason(database: PlayerDatabase) -> str:
    database.notice(frozenset({"database"}))
    await database.compare()
    return database.unlisted.reason


async def test_reasons(
    database: PlayerDatabase,
    stores: Stores,
    player: FakePlayer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await add_tracks(stores, "c/4.ape", "c/5.ape")
    assert await reason(database) == ("MPD has no decoder for ape files; install or enable one")

    player.database |= {Uri("c/4.ape"): 1.0, Uri("c/5.ape"): 1.0}
    (tmp_path / "a").symlink_to(tmp_path)
    player.drop("a/1.ogg")
    assert "does not follow the symbolic link 'a'" in await reason(database)

    sheet = ("r.cue/track0001", "r.cue/track0002", "r.cue/track0003")
    await add_tracks(stores, *sheet)
    assert "move 'r.cue' and its audio into a folder" in await reason(database)
    await stores.library.mark_missing(map(Uri, sheet), 3.0)

    player.database = {Uri("other.ogg"): 1.0}
    (tmp_path / "a").unlink()
    monkeypatch.setattr(player, "formats", no_formats)
    assert "its music directory is probably another one" in await reason(database)

    player.database = {}
    assert await reason(database) == "MPD's database is empty; run `mpc update`"

    player.modes = PlayerState(0.0, player.modes.playback_state, updating=True)
    assert await reason(database) == "MPD is updating its database"


async def no_formats() -> frozenset[str]:
    return frozenset()


async def test_changes_of_the_library_are_compared_with_the_songs_that_are_known(
    database: PlayerDatabase,
    stores: Stores,
    player: FakePlayer,
    events: Events,
    clock: FakeClock,
) -> None:
    task = asyncio.create_task(database.run())
    database.notice(frozenset({"connected"}))
    await clock.advance(2)
    await until(lambda: database.unlisted.present == 3)
    await clock.advance(100)

    await add_tracks(stores, "new/6.ogg")
    events.publish(LibraryChanged())
    await clock.advance(2)
    await until(lambda: player.updates == ["new"])
    await until(lambda: database.unlisted.tracks == 1)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_without_a_player_what_was_known_remains(
    database: PlayerDatabase, stores: Stores, player: FakePlayer, clock: FakeClock
) -> None:
    player.drop("b/3.ogg")
    await database.compare()
    task = asyncio.create_task(database.run())
    player.vanish()
    database.notice(frozenset({"connected"}))
    await clock.advance(2)

    assert await candidates(stores) == {"a/1.ogg", "a/2.ogg"}
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
