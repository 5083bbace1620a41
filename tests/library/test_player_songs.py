"""The player's songs as the library: new, changed and moved ones, and while the player is away."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.player import PlayerSong
from anagnorisisd.domain.track import Tags, Track, Uri
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.events import Events
from anagnorisisd.library.change_importer import ScanProgress
from anagnorisisd.library.player_songs import PlayerSongs
from anagnorisisd.library.service import LibraryService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import STAMP
from tests.support.until import until

A, B, C = map(Uri, ("a/1.ogg", "a/2.ogg", "b/3.ogg"))
CONNECTED, CHANGED = frozenset({"connected"}), frozenset({"database"})


@pytest.fixture
def player(clock: FakeClock) -> FakePlayer:
    player = FakePlayer(clock, {A: 100.0, B: 101.0, C: 102.0})
    player.tags = {uri: Tags(title=uri, artist="Artist") for uri in (A, B, C)}
    return player


@pytest.fixture
def songs(player: FakePlayer, stores: Stores) -> PlayerSongs:
    songs = PlayerSongs(player, stores.uri_identities, Music(exclude=("excluded/*",)))
    songs.notice(CONNECTED)
    return songs


@pytest.fixture
def library(songs: PlayerSongs, stores: Stores, clock: FakeClock) -> LibraryService:
    events = Events(clock)
    return LibraryService(stores.library, songs, songs, events=events, clock=clock, config=Music())


async def scan(library: LibraryService) -> ScanProgress:
    (*_, last) = [progress async for progress in library.scan()]
    return last


async def at(stores: Stores, uri: str) -> Track:
    found = await stores.library.track_at(Uri(uri))
    assert found is not None
    return await stores.library.track(found, STAMP)


def move(player: FakePlayer, before: str, now: str) -> None:
    player.database[Uri(now)] = player.database.pop(Uri(before))
    player.tags[Uri(now)] = player.tags.pop(Uri(before))


async def test_songs_are_tracks_with_metadata(
    library: LibraryService, player: FakePlayer, stores: Stores
) -> None:
    player.database[Uri("excluded/4.ogg")] = 5.0

    assert (await scan(library)).added == 3
    assert (await scan(library)).unchanged == 3

    track = await at(stores, A)
    assert (track.tags, track.duration_seconds) == (player.tags[A], 100.0)


async def test_retagged_songs_stay_the_same_track_and_others_do_not(
    library: LibraryService, player: FakePlayer, stores: Stores
) -> None:
    await scan(library)
    before = [(await at(stores, uri)).track_id for uri in (A, B)]
    player.tags[A] = Tags(title="New")
    player.database[B] = 300.0

    result = await scan(library)

    now = [(await at(stores, uri)).track_id for uri in (A, B)]
    assert (result.changed, result.added) == (1, 1)
    assert (await at(stores, A)).title == "New"
    assert (now[0] == before[0], now[1] == before[1]) == (True, False)


async def test_a_song_that_is_moved_stays_the_same_track(
    library: LibraryService, player: FakePlayer, stores: Stores
) -> None:
    await scan(library)
    before = await at(stores, A)
    move(player, A, "c/1.ogg")
    assert (await scan(library)).moved == 1
    assert (await at(stores, "c/1.ogg")).track_id == before.track_id

    # Another song where it was is another track, although the duration is the same.
    player.database[A] = 100.0
    await scan(library)
    other = await at(stores, A)
    assert other.track_id != before.track_id
    player.tags[A] = Tags(title="Other")
    await scan(library)
    assert (await at(stores, A)).track_id == other.track_id

    move(player, "c/1.ogg", "d/1.ogg")
    await scan(library)
    assert (await at(stores, "d/1.ogg")).track_id == before.track_id


@pytest.mark.parametrize("copies", [(2, 1), (1, 2)])
async def test_an_ambiguous_move_gives_new_tracks(
    library: LibraryService, player: FakePlayer, stores: Stores, copies: tuple[int, int]
) -> None:
    """So many equal songs become so many at other URIs."""
    gone, new = copies
    player.database = {Uri(f"old/{number}.ogg"): 100.0 for number in range(gone)}
    player.tags = {uri: Tags(title="Same") for uri in player.database}
    await scan(library)
    before = {(await at(stores, uri)).track_id for uri in player.database}
    player.database = {Uri(f"new/{number}.ogg"): 100.0 for number in range(new)}
    player.tags = {uri: Tags(title="Same") for uri in player.database}

    result = await scan(library)

    now = {(await at(stores, uri)).track_id for uri in player.database}
    assert (result.missing, result.added, len(now), now & before) == (gone, new, new, set())


async def test_songs_that_come_back_are_the_same_tracks(
    library: LibraryService, player: FakePlayer, stores: Stores
) -> None:
    await scan(library)
    before, known = await at(stores, A), dict(player.database)
    player.database.clear()
    assert (await scan(library)).missing == 3

    player.database.update(known)
    result = await scan(library)

    assert (result.unchanged, (await at(stores, A)).track_id) == (3, before.track_id)


async def test_nothing_is_missing_while_the_player_is_away(
    library: LibraryService, player: FakePlayer, stores: Stores
) -> None:
    await scan(library)
    player.vanish()

    result = await scan(library)

    assert result.problem == "MPD's database cannot be read: the player is away"
    assert (await stores.library.counts(STAMP)).missing == 0


async def test_songs_are_read_when_an_update_has_ended(
    library: LibraryService, songs: PlayerSongs, player: FakePlayer, stores: Stores
) -> None:
    await scan(library)
    before = await at(stores, A)
    player.updating = True
    player.database.pop(A)  # it is being moved
    scanning = asyncio.create_task(scan(library))
    await until(lambda: player.refused_reads == 1)
    songs.notice(frozenset({"update"}))  # that it began
    await until(lambda: player.refused_reads == 2)

    player.database[Uri("c/1.ogg")], player.updating = 100.0, False
    player.tags[Uri("c/1.ogg")] = player.tags[A]
    songs.notice(frozenset({"update"}))

    assert (await scanning).moved == 1
    assert (await at(stores, "c/1.ogg")).track_id == before.track_id


async def test_what_is_not_read_in_time_is_read_later(
    library: LibraryService, player: FakePlayer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(uris: Sequence[Uri]) -> AsyncIterator[Sequence[PlayerSong]]:
        async for found in FakePlayer.metadata(player, uris):
            yield found[:1]
        raise PlayerUnavailable("the connection was lost")

    monkeypatch.setattr(player, "metadata", interrupted)
    assert (await scan(library)).added == 1

    monkeypatch.undo()
    assert (await scan(library)).added == 2


async def test_hints_follow_the_database(songs: PlayerSongs) -> None:
    assert await songs.hints() == {""}
    waiting = asyncio.create_task(songs.hints())
    songs.notice(frozenset({"player", "update"}))
    await asyncio.sleep(0)
    assert not waiting.done()

    songs.notice(CHANGED)

    assert await waiting == {""}


def test_there_are_no_files(songs: PlayerSongs) -> None:
    assert not songs.path(A).exists()
