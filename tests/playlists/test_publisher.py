"""Published playlists in a real MPD, as any client sees them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from anagnorisisd.clock import Clock, SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import EvaluatorPromoted, Events
from anagnorisisd.playlists.publisher import PlaylistPublisher
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support import mpd, protocol
from tests.support.connected_player import at, watching
from tests.support.library import add_rated, add_tracks, predict, scanned, track_id
from tests.support.protocol import ProtocolClient
from tests.support.until import until_async

pytestmark = pytest.mark.slow

SONGS = [f"{letter}.wav" for letter in "abcdef"]
NOTHING = 77
NIGHT = 86_400.0
ALL = schema.Picks(
    playlists=("Favourites 3", "Promising", "Forgotten", "To rate", "New", "Tag jazz")
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("published"), SONGS, seconds=2) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    """Return an MPD without playlists."""
    for playlist in shared.folder.glob("*.m3u"):
        playlist.unlink()
    return shared


@pytest.fixture
async def client(server: mpd.Mpd) -> AsyncIterator[ProtocolClient]:
    async with protocol.connected(server.socket) as connected:
        yield connected


async def suggest(count: int) -> Sequence[TrackId]:
    if count == NOTHING:
        raise PreconditionFailed("there is no unrated track")
    return [track_id("f.wav"), track_id("e.wav")][:count]


async def with_tag(tag: str) -> Sequence[TrackId]:
    if tag != "jazz":
        raise PreconditionFailed("there are no tags")
    return [track_id("b.wav"), track_id("a.wav"), track_id("c.wav")]


@asynccontextmanager
async def publishing(
    server: mpd.Mpd, stores: Stores, config: schema.Picks = ALL, clock: Clock | None = None
) -> AsyncIterator[tuple[PlaylistPublisher, Events]]:
    """Yield a publisher that is connected, and its events; it does not run by itself."""
    async with watching(at(server.socket, timeout_seconds=30), server.music) as watched:
        await watched.connected()
        clock = clock or SystemClock()
        events = Events(clock)
        yield (
            PlaylistPublisher(
                player=watched.player,
                playlists=watched.player.playlists,
                store=stores.playlists,
                library=stores.library,
                suggest=suggest,
                with_tag=with_tag,
                events=events,
                clock=clock,
                next_night=lambda now: (now // NIGHT + 1) * NIGHT,
                config=config,
            ),
            events,
        )


async def contents(client: ProtocolClient) -> dict[str, list[str]]:
    return {name: await client.songs(name) for name in await client.playlists()}


async def add_library(stores: Stores) -> None:
    await add_rated(stores, {"a.wav": 8, "b.wav": 9.5})
    await add_tracks(stores, "c.wav", "d.wav", "e.wav", "nowhere.wav")
    await stores.library.store_files([scanned("f.wav")], SystemClock().now())
    predictions = {"c.wav": 9.0, "d.wav": 6.0, "e.wav": 5.0, "nowhere.wav": 8.5}
    await predict(stores, {track_id(uri): mean for uri, mean in predictions.items()}, 1.0)


async def test_every_playlist_is_written_and_again_only_if_it_changed(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient
) -> None:
    await add_library(stores)
    async with publishing(server, stores) as (publisher, _):
        await publisher.publish()
        first = await contents(client)
        await client.ask("playlistadd", "Anagnorisis New", "a.wav")
        files = {path.stem: path.stat().st_ino for path in server.folder.glob("*.m3u")}
        await stores.ratings.rate(track_id("d.wav"), 10.0, at=0.0, source="test")
        await publisher.publish()
        second = await contents(client)
        kept = {
            path.stem
            for path in server.folder.glob("*.m3u")
            if files.get(path.stem) == path.stat().st_ino
        }

    assert first == {
        "Anagnorisis Favourites": ["b.wav", "a.wav", "c.wav"],
        "Anagnorisis Promising": ["c.wav", "d.wav", "e.wav"],
        "Anagnorisis Forgotten": ["b.wav", "a.wav"],
        "Anagnorisis To rate": ["f.wav", "e.wav"],
        "Anagnorisis New": ["f.wav"],
        "Anagnorisis Tag jazz": ["b.wav", "c.wav", "a.wav"],
    }
    assert second == first | {
        "Anagnorisis Favourites": ["d.wav", "b.wav", "a.wav"],
        "Anagnorisis Promising": ["c.wav", "e.wav"],
        "Anagnorisis Forgotten": ["d.wav", "b.wav", "a.wav"],
    }
    assert kept == {"Anagnorisis To rate", "Anagnorisis Tag jazz"}


async def test_it_follows_trainings_and_the_configuration(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient
) -> None:
    await add_library(stores)
    await client.ask("playlistadd", "Anagnorisis mine", "a.wav")
    async with publishing(server, stores, schema.Picks()) as (publisher, events):
        running = asyncio.create_task(publisher.run())

        async def lists(name: str, *songs: str) -> None:
            """Wait until MPD has this playlist, and the listener's, and no other."""
            expected = {"Anagnorisis mine": ["a.wav"], **({name: list(songs)} if name else {})}

            async def holds() -> bool:
                try:
                    return await contents(client) == expected
                except protocol.Refused:  # it was removed between two commands
                    return False

            await until_async(holds)

        try:
            publisher.reconfigure(schema.Picks(playlists=("Favourites",)))
            await lists("Anagnorisis Favourites", "b.wav", "a.wav", "c.wav")
            await stores.ratings.rate(track_id("c.wav"), 3.0, at=0.0, source="test")
            events.publish(EvaluatorPromoted(2))
            await lists("Anagnorisis Favourites", "b.wav", "a.wav")
            publisher.reconfigure(
                schema.Picks(playlists=("Favourites 1",), playlist_prefix="Best of")
            )
            await lists("Best of Favourites", "b.wav")
            publisher.reconfigure(schema.Picks())
            await lists("")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_it_is_written_every_night(
    server: mpd.Mpd, stores: Stores, client: ProtocolClient, clock: FakeClock
) -> None:
    await add_library(stores)
    name = "Anagnorisis Favourites"

    async def has(*songs: str) -> bool:
        return (await contents(client)).get(name) == list(songs)

    async with publishing(server, stores, schema.Picks(playlists=(name[12:],)), clock) as (
        publisher,
        _,
    ):
        running = asyncio.create_task(publisher.run())
        try:
            await until_async(lambda: has("b.wav", "a.wav", "c.wav"))
            await stores.ratings.rate(track_id("c.wav"), 3.0, at=0.0, source="test")
            clock.jump(NIGHT)  # the computer was in standby

            async def is_written() -> bool:
                await clock.advance(600)
                return await has("b.wav", "a.wav")

            await until_async(is_written)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_playlist_of_the_listener_is_not_touched(
    server: mpd.Mpd,
    stores: Stores,
    client: ProtocolClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    await add_library(stores)
    await client.ask("playlistadd", "Anagnorisis Favourites", "e.wav")
    config = schema.Picks(playlists=("Favourites", "New", f"To rate {NOTHING}"))
    async with publishing(server, stores, config) as (publisher, _):
        for _ in range(2):
            await publisher.publish()
        assert await client.songs("Anagnorisis To rate") == []
        publisher.reconfigure(schema.Picks())
        await publisher.publish()

    assert await contents(client) == {"Anagnorisis Favourites": ["e.wav"]}
    assert [record.getMessage() for record in caplog.records] == [
        "the playlist 'Anagnorisis Favourites' was not created by the daemon, so it stays as it is"
    ]
