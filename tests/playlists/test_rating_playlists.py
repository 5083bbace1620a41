"""Clients that know only playlists rate by them, on a real MPD, by the bare protocol."""

import asyncio
import dataclasses
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import StoreFull
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.listening import player_monitor
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.playlists import rating_playlists, rating_rules
from anagnorisisd.playlists.rating_playlists import RatingPlaylists
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stores import Stores
from tests.support import mpd, protocol
from tests.support.connected_player import at, watching
from tests.support.faults import fill, make_read_only, small_disk
from tests.support.library import scanned, track_id
from tests.support.protocol import ProtocolClient, Refused
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

pytestmark = pytest.mark.slow

SONGS = [f"{letter}.wav" for letter in "abcd"] + ["album/1.wav", "album/2.wav"]
OFF = schema.Ratings(read_stickers=False, write_stickers=False)
ON = OFF.model_copy(update={"playlists": True})
NAMES = rating_rules.names("Rate")
PICKS = schema.Picks(enabled=False)
MANY = 'max_connections "200"'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    folder = tmp_path_factory.mktemp("lists")
    with mpd.running(folder, SONGS, seconds=2, extra=MANY) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    """Return an MPD without playlists; it may run or not afterwards."""
    for playlist in shared.folder.glob("*.m3u"):
        playlist.unlink()
    return shared


@pytest.fixture
async def client(server: mpd.Mpd) -> AsyncIterator[ProtocolClient]:
    async with protocol.connected(server.socket) as connected:
        yield connected


@asynccontextmanager
async def listening(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings = ON
) -> AsyncIterator[MpdServices]:
    """Run the daemon's services, and wait until the rating playlists are there."""
    async with mpd_services(server, stores, picks=PICKS, ratings_config=config) as opened:
        await idle(opened)
        yield opened


async def idle(listener: MpdServices) -> None:
    """Wait until the rating playlists are there and nothing is left to rate."""

    def holds() -> bool:
        folder = listener.server.folder
        try:
            left = any((folder / f"{name}.m3u").stat().st_size for name in NAMES)
        except FileNotFoundError:
            return False
        return not left and not list(folder.glob("*).m3u"))

    await until(holds)


async def rated(listener: MpdServices, uri: str, value: float | None) -> None:
    async def holds() -> bool:
        return await listener.rating(uri) == value

    await until_async(holds)


async def history(stores: Stores) -> list[tuple[TrackId, float | None]]:
    """Return all changes of ratings, the oldest first."""
    entries = await stores.ratings.history(limit=100_000)
    return [(entry.track_id, entry.value) for entry in reversed(entries)]


async def add(server: mpd.Mpd, playlist: str, song: str) -> bool | None:
    """Add a song as a client of its own; return whether MPD confirmed it, `None` if unknown."""
    try:
        async with protocol.connected(server.socket) as client:
            try:
                await client.ask("playlistadd", playlist, song)
            except OSError:
                return None
    except OSError:
        return False
    return True


async def test_a_client_that_knows_only_playlists_rates(server: mpd.Mpd, stores: Stores) -> None:
    async with listening(server, stores) as listener:
        assert sorted(server.mpc("lsplaylists").splitlines()) == NAMES
        await add(server, "Rate 08", "a.wav")
        await rated(listener, "a.wav", 8.0)
        await add(server, "Rate 00", "b.wav")
        await rated(listener, "b.wav", 0.0)
        await add(server, "Rate: clear", "a.wav")
        await rated(listener, "a.wav", None)
        await add(server, "Rate: undo", "c.wav")
        await rated(listener, "a.wav", 8.0)
        await until(lambda: sorted(server.mpc("lsplaylists").splitlines()) == NAMES)
        assert set(await listener.sources()) == {"playlist"}


async def test_an_album_and_a_song_twice(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient
) -> None:
    async with listening(server, stores) as listener:
        await client.ask_all(
            [("playlistadd", "Rate 07", "album"), ("playlistadd", "Rate 07", "album/1.wav")]
        )
        await rated(listener, "album/2.wav", 7.0)
        await idle(listener)

    assert Counter(await history(stores)) == {
        (track_id("album/1.wav"), 7.0): 2,
        (track_id("album/2.wav"), 7.0): 1,
    }


async def test_ten_thousand_songs_at_once(server: mpd.Mpd, stores: Stores) -> None:
    async with listening(server, stores) as listener:
        # As a client does that stores a queue of that length under the name of a playlist.
        server.folder.joinpath("Rate 09.m3u").write_text("b.wav\n" * 9_999 + "d.wav\n")
        await add(server, "Rate 05", "a.wav")
        await rated(listener, "d.wav", 9.0)
        await idle(listener)

    assert Counter(await history(stores)) == {
        (track_id("b.wav"), 9.0): 9_999,
        (track_id("d.wav"), 9.0): 1,
        (track_id("a.wav"), 5.0): 1,
    }


async def test_songs_outside_the_library_stay_until_it_has_them(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    mpd.write_songs(server.music, ["new.wav"], 1)
    await server.ask("update", "--wait")
    (server.music / "new.wav").unlink()  # MPD has it, and a scan would not find it
    async with listening(server, stores) as listener:
        for _ in range(2):
            await client.ask_all(
                [("playlistadd", "Rate 06", song) for song in ("a.wav", "new.wav", "b.wav")]
            )
            await rated(listener, "b.wav", 6.0)
            server.folder.joinpath("Rate 03.m3u").write_text("gone.wav\nb.wav\n")
            await client.ask("playlistadd", "Rate 01", "d.wav")
            await rated(listener, "b.wav", 3.0)

        async def left() -> bool:
            listed = await client.playlists()
            return await client.songs("Rate 06") == ["new.wav"] * 2 and len(listed) == 15

        await until_async(left)
        named = [record.getMessage() for record in caplog.records]
        assert [message.count("new.wav") for message in named if "new.wav" in message] == [1]

        await stores.library.store_files([scanned("new.wav")], 0.0)
        listener.events.publish(LibraryChanged(added=(track_id("new.wav"),)))
        await rated(listener, "new.wav", 6.0)
        await until_async(lambda: only_gone_is_left(client))

    entries = Counter(await history(stores))
    assert entries[track_id("new.wav"), 6.0] == 2
    assert entries[track_id("b.wav"), 3.0] == 2


async def only_gone_is_left(client: ProtocolClient) -> bool:
    """Return whether there are two playlists besides, with the song that MPD cannot add."""
    beside = [name for name in await client.playlists() if name not in NAMES]
    try:
        songs = [await client.songs(name) for name in [*beside, "Rate 06"]]
        return songs == [["gone.wav"], ["gone.wav"], []]
    except Refused:  # it was removed between two commands
        return False


async def test_playlists_of_the_listener_are_not_touched(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await client.ask("playlistadd", "Rate 05", "a.wav")
    await client.ask("playlistadd", "Rated", "b.wav")
    async with mpd_services(server, stores, picks=PICKS, ratings_config=ON) as listener:
        await until(lambda: len(list(server.folder.glob("*.m3u"))) == len(NAMES) + 1)
        await client.ask("playlistadd", "Rate 05", "c.wav")
        await client.ask("playlistadd", "Rate 04", "d.wav")
        await rated(listener, "d.wav", 4.0)
        assert await client.songs("Rate 05") == ["a.wav", "c.wav"]
        assert sum("'Rate 05' was not created" in record.getMessage() for record in caplog.records)

        await client.ask("rename", "Rate 05", "Mine")
        await idle(listener)
        await client.ask("playlistadd", "Rate 05", "a.wav")
        await rated(listener, "a.wav", 5.0)
        await idle(listener)

    assert await client.songs("Mine") == ["a.wav", "c.wav"]
    assert await client.songs("Rated") == ["b.wav"]
    assert await history(stores) == [(track_id("d.wav"), 4.0), (track_id("a.wav"), 5.0)]


async def test_a_playlist_that_a_client_removes_or_renames_is_made_again(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient
) -> None:
    async with listening(server, stores) as listener:
        await client.ask("rm", "Rate 02")
        await idle(listener)
        await client.ask("rename", "Rate 02", "Bad")
        await idle(listener)
        await client.ask("playlistadd", "Bad", "a.wav")
        await client.ask("playlistadd", "Rate 02", "b.wav")
        await rated(listener, "b.wav", 2.0)

    assert await client.songs("Bad") == ["a.wav"]
    assert await history(stores) == [(track_id("b.wav"), 2.0)]


async def test_switched_off_it_removes_what_it_created_and_nothing_else(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient
) -> None:
    async with listening(server, stores) as listener:
        await client.ask("playlistadd", "Mine", "a.wav")
        listener.rating_playlists.reconfigure(ON.model_copy(update={"playlist_prefix": "Ok"}))
        await until_async(lambda: lists(client, "Mine", *rating_rules.names("Ok")))
        await client.ask("playlistadd", "Ok 03", "b.wav")
        listener.rating_playlists.reconfigure(OFF)
        await until_async(lambda: lists(client, "Mine"))

    assert await history(stores) == [(track_id("b.wav"), 3.0)]
    async with mpd_services(server, stores, picks=PICKS, ratings_config=OFF):
        await client.ask("playlistadd", "Rate 08", "a.wav")
    assert await client.playlists() == ["Mine", "Rate 08"]


async def test_switched_off_while_it_creates_playlists(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient
) -> None:
    async with mpd_services(server, stores, picks=PICKS, ratings_config=ON) as listener:
        await until(lambda: any(server.folder.glob("Rate*.m3u")))
        listener.rating_playlists.reconfigure(OFF)
        await until_async(lambda: lists(client))


async def lists(client: ProtocolClient, *names: str) -> bool:
    return await client.playlists() == sorted(names)


async def test_hundred_clients_at_once_while_mpd_is_killed(server: mpd.Mpd, stores: Stores) -> None:
    added: Counter[tuple[TrackId, float | None]] = Counter()
    perhaps: Counter[tuple[TrackId, float | None]] = Counter()

    async def add_some(number: int) -> None:
        value, song = number % 11, SONGS[number % len(SONGS)]
        done = await add(server, f"Rate {value:02}", song)
        if done:
            added[track_id(song), float(value)] += 1
        elif done is None:
            perhaps[track_id(song), float(value)] += 1

    async with listening(server, stores) as listener:
        await asyncio.gather(*map(add_some, range(100)))
        assert added.total() == 100
        for _ in range(3):
            burst = [asyncio.create_task(add_some(number)) for number in range(60)]
            await until(lambda: sum(task.done() for task in burst) >= 20)  # noqa: B023
            await asyncio.to_thread(server.kill)
            await asyncio.gather(*burst)
            await asyncio.to_thread(server.start)
            await until(lambda: listener.player.link().connected)
        await idle(listener)

        async def all_rated() -> bool:
            return not added - Counter(await history(stores))

        await until_async(all_rated)
        await until(lambda: sorted(server.mpc("lsplaylists").splitlines()) == NAMES)
    assert not Counter(await history(stores)) - added - perhaps


class Interruption(Exception):
    """The daemon ends here."""


@pytest.mark.parametrize("after", [False, True])
async def test_the_daemon_ends_before_or_after_any_command(
    server: mpd.Mpd,
    stores: Stores,
    client: ProtocolClient,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,
) -> None:
    await stores.library.store_files([scanned(uri) for uri in SONGS], 0.0)
    send, calls = Connection._send, itertools.count()
    stop_at = -1

    async def interrupted(self: Connection, *args: Any) -> Any:
        number = next(calls)
        if number == stop_at and not after:
            raise Interruption
        result = await send(self, *args)
        if number == stop_at:
            raise Interruption
        return result

    await client.ask("playlistadd", "Mine", "a.wav")
    async with watching(at(server.socket, timeout_seconds=30), server.music) as watched:
        await watched.connected()
        clock = SystemClock()
        events = Events(clock)

        def daemon(config: schema.Ratings) -> RatingPlaylists:
            return RatingPlaylists(
                player=watched.player,
                playlists=watched.player.playlists,
                store=stores.playlists,
                library=stores.library,
                ratings=RatingService(stores.ratings, events, clock),
                events=events,
                clock=clock,
                config=config,
            )

        monkeypatch.setattr(Connection, "_send", interrupted)
        interruptions = 0

        async def run(config: schema.Ratings) -> None:
            """Process everything, interrupted at the next place each time, until there is none."""
            nonlocal stop_at, calls, interruptions
            for number in itertools.count():
                stop_at = number
                calls = itertools.count()
                try:
                    await daemon(config)._process(config)
                except Interruption:
                    interruptions += 1
                else:
                    return

        await run(ON)
        assert await client.playlists() == sorted([*NAMES, "Mine"])
        for song in ("a.wav", "b.wav", "a.wav"):
            await client.ask("playlistadd", "Rate 04", song)
        await client.ask("playlistadd", "Rate: undo", "a.wav")
        await run(ON)
        assert [await client.songs(name) for name in NAMES] == [[]] * len(NAMES)
        assert await client.playlists() == sorted([*NAMES, "Mine"])
        await client.ask("playlistadd", "Rate 03", "c.wav")
        await run(OFF)

    assert await client.playlists() == ["Mine"]
    assert await client.songs("Mine") == ["a.wav"]
    assert Counter(await history(stores)) == {
        (track_id("a.wav"), 4.0): 3,  # with the one that came back by the undo
        (track_id("b.wav"), 4.0): 1,
        (track_id("c.wav"), 3.0): 1,
    }
    assert interruptions > 30


class FullStore(RatingStore):
    """Has no room until `full` is unset."""

    full = True
    refused = 0

    async def rate(self, track_id: TrackId, value: float | None, **rest: Any) -> RatingChange:
        """Refuse the rating, or store it."""
        if self.full:
            self.refused += 1
            raise StoreFull("the disk is full")
        return await super().rate(track_id, value, **rest)


async def test_a_rating_that_cannot_be_stored_waits_in_mpd(
    server: mpd.Mpd, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_monitor, "RETRY_SECONDS", 0.1)
    full = FullStore(stores.database)
    async with listening(server, dataclasses.replace(stores, ratings=full)) as listener:
        await add(server, "Rate 08", "a.wav")
        await until(lambda: full.refused > 1)
        await add(server, "Rate 08", "b.wav")
        assert await history(stores) == []
    full.full = False
    async with listening(server, stores) as listener:
        await rated(listener, "b.wav", 8.0)

    assert await history(stores) == [(track_id("a.wav"), 8.0), (track_id("b.wav"), 8.0)]


async def test_a_missing_or_read_only_directory_is_said_once(
    tmp_path: Path,
    stores: Stores,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rating_playlists, "RETRY_SECONDS", 0.1)
    disk = tmp_path / "disk"
    directory = disk / "playlists"

    def said() -> list[str]:
        messages = [record.getMessage() for record in caplog.records]
        return [message for message in messages if "cannot rate by playlist" in message]

    with (
        small_disk(disk, "200k"),
        mpd.running(tmp_path / "mpd", SONGS, seconds=2, playlists=directory) as server,
    ):
        async with mpd_services(server, stores, picks=PICKS, ratings_config=ON) as listener:
            await until(lambda: len(said()) == 1)
            await listener.looked()
            directory.mkdir()
            await until(lambda: len(list(directory.glob("*.m3u"))) == len(NAMES))
            await add(server, "Rate 08", "a.wav")
            await rated(listener, "a.wav", 8.0)

            await until(lambda: len(list(directory.glob("*.m3u"))) == len(NAMES))
            await add(server, "Mine", "a.wav")
            make_read_only(disk, read_only=True)
            await listener.looked()
            assert len(said()) == 1, "nothing was to be written"
            make_read_only(disk, read_only=False)
    assert "playlist_directory in mpd.conf" in said()[0]


async def test_it_rates_on_a_full_disk(tmp_path: Path, stores: Stores) -> None:
    disk = tmp_path / "disk"
    with (
        small_disk(disk, "200k"),
        mpd.running(tmp_path / "mpd", SONGS, seconds=2, playlists=disk) as server,
    ):
        await server.ask("add", "/")  # with an empty queue an empty playlist would have room
        async with mpd_services(server, stores, picks=PICKS, ratings_config=ON) as listener:
            await until(lambda: len(list(disk.glob("*.m3u"))) == len(NAMES))
            await listener.rating("a.wav")
            full = fill(disk)
            (disk / "Rate 08.m3u").write_text("")
            for song in ("a.wav", "b.wav"):
                full.unlink()
                await add(server, "Rate 08", song)
                full = fill(disk)
                await rated(listener, song, 8.0)
            await until(lambda: len(list(disk.glob("*.m3u"))) == len(NAMES))
