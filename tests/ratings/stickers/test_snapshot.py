"""Stickers that are lost, by MPD or by us: no rating is cleared or changed by that."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.rating import SyncedSticker
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import StoreError
from anagnorisisd.events import PlayRecorded
from anagnorisisd.storage.stickers import StickerStore
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.library import play, track_id
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

pytestmark = pytest.mark.slow

SONGS = [f"{number}.wav" for number in range(8)]
LOOKS = 2
"""Comparisons after which a sticker that is gone would have been taken for a word long since."""

CONFIGURATIONS = {
    "all": schema.Ratings(),
    "read only": schema.Ratings(write_stickers=False),
    "write only": schema.Ratings(read_stickers=False),
    "likes, too": schema.Ratings(read_like=True),
    "read only, likes, too": schema.Ratings(write_stickers=False, read_like=True),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path / "loss", SONGS, seconds=1) as running:
        yield running


def sticker_file(server: mpd.Mpd) -> Path:
    return server.folder / "sticker.sql"


def restart_without_stickers(server: mpd.Mpd, *, refusing: bool = False) -> None:
    """Start MPD anew with an empty sticker database, perhaps one that takes no sticker."""
    server.stop()
    with closing(sqlite3.connect(sticker_file(server))) as stickers, stickers:
        stickers.execute("DELETE FROM sticker")
        if refusing:
            stickers.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON sticker"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
    server.start()


@asynccontextmanager
async def rated_room(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings, songs: Iterable[str] = SONGS
) -> AsyncIterator[MpdServices]:
    """Start services with songs that have ratings, most of them set by a client's stickers."""
    async with mpd_services(server, stores, ratings_config=config) as opened:
        for value, song in enumerate(songs, 1):
            if config.read_stickers and value % 4:
                server.mpc("sticker", song, "set", "rating", str(value))
            else:
                await opened.ratings.rate(track_id(song), value, source="test")
        await until_async(lambda: all_rated(opened, songs))
        await looked_often(opened)
        yield opened


async def all_rated(opened: MpdServices, songs: Iterable[str] = SONGS) -> bool:
    """Tell whether every song has the rating that it was given."""
    return [await opened.rating(song) for song in songs] == [
        float(value) for value, _ in enumerate(songs, 1)
    ]


async def looked_often(opened: MpdServices) -> None:
    for _ in range(LOOKS):
        await opened.looked()


async def reconnected(opened: MpdServices, session: int) -> None:
    await until(lambda: opened.player.link().connected and opened.player.link().session > session)


def session_of(opened: MpdServices) -> int:
    return opened.player.link().session


@pytest.mark.parametrize(
    ("config", "songs"),
    [
        *((config, SONGS) for config in CONFIGURATIONS.values()),
        (CONFIGURATIONS["all"], SONGS[:1]),
        (CONFIGURATIONS["read only, likes, too"], SONGS[:1]),
        (CONFIGURATIONS["read only"], SONGS[:3]),
    ],
)
async def test_mpd_restarts_without_stickers(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings, songs: list[str]
) -> None:
    async with rated_room(server, stores, config, songs) as opened:
        entries = len(await opened.sources())
        for _ in range(2):
            session = session_of(opened)
            restart_without_stickers(server)
            await reconnected(opened, session)
            await looked_often(opened)

        assert await all_rated(opened, songs)
        assert len(await opened.sources()) == entries
        if config.write_stickers:
            expected = [str(value) for value, _ in enumerate(songs, 1)]
            assert [opened.sticker(song) for song in songs] == expected


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
async def test_mpd_restarts_without_stickers_while_the_daemon_is_off(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings
) -> None:
    async with rated_room(server, stores, config):
        pass
    restart_without_stickers(server)

    async with mpd_services(server, stores, ratings_config=config) as opened:
        await looked_often(opened)

        assert await all_rated(opened)


async def test_mpd_refuses_to_store_lost_stickers_again(server: mpd.Mpd, stores: Stores) -> None:
    async with rated_room(server, stores, schema.Ratings()) as opened:
        session = session_of(opened)
        restart_without_stickers(server, refusing=True)
        await reconnected(opened, session)
        await looked_often(opened)

        assert [opened.sticker(song) for song in SONGS] == [None] * len(SONGS)
        assert await all_rated(opened)


class FailingStickers:
    """A store of stickers that fails at some calls, and else is the real one."""

    def __init__(self, store: StickerStore) -> None:
        self._store = store
        self.failing = 0

    def _fail(self) -> None:
        if self.failing:
            self.failing -= 1
            raise StoreError("the disk is full")

    async def seen(self, name: str) -> Mapping[Uri, SyncedSticker]:
        self._fail()
        return await self._store.seen(name)

    async def remember(self, name: str, values: Mapping[Uri, SyncedSticker]) -> None:
        self._fail()
        await self._store.remember(name, values)

    async def expect(self, name: str, uris: Iterable[Uri]) -> None:
        self._fail()
        await self._store.expect(name, uris)


@pytest.mark.parametrize("failures", [1, 2, 3])
async def test_store_fails_during_the_first_comparison(
    server: mpd.Mpd, stores: Stores, failures: int
) -> None:
    failing = FailingStickers(stores.stickers)
    stores = replace(stores, stickers=cast("StickerStore", failing))
    async with rated_room(server, stores, schema.Ratings()) as opened:
        session = session_of(opened)
        failing.failing = failures
        restart_without_stickers(server)
        await reconnected(opened, session)
        await until(lambda: not failing.failing)
        await looked_often(opened)

        assert await all_rated(opened)
        assert [opened.sticker(song) for song in SONGS] == list("12345678")


async def test_all_stickers_disappear_while_mpd_runs(
    server: mpd.Mpd, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    async with rated_room(server, stores, schema.Ratings()) as opened:
        with closing(sqlite3.connect(sticker_file(server))) as other, other:
            other.execute("DELETE FROM sticker")
        await looked_often(opened)

        assert await all_rated(opened)
        assert [opened.sticker(song) for song in SONGS] == list("12345678")
        assert "8 rating stickers disappeared from MPD at once" in caplog.text


@pytest.mark.parametrize("write", [True, False])
async def test_client_removes_stickers_one_by_one(
    server: mpd.Mpd, stores: Stores, write: bool
) -> None:
    config = schema.Ratings(write_stickers=write)
    async with rated_room(server, stores, config, SONGS[:3]) as opened:
        for song in SONGS[:3]:
            server.mpc("sticker", song, "delete", "rating")
            await until_async(lambda song=song: is_rated(opened, song, None))  # type: ignore[misc]


async def is_rated(opened: MpdServices, song: str, value: float | None) -> bool:
    return await opened.rating(song) == value


async def test_client_rates_after_mpd_restarts_without_stickers(
    server: mpd.Mpd, stores: Stores
) -> None:
    config = schema.Ratings(write_stickers=False)
    async with rated_room(server, stores, config) as opened:
        session = session_of(opened)
        restart_without_stickers(server)
        await reconnected(opened, session)
        await looked_often(opened)

        server.mpc("sticker", SONGS[0], "set", "rating", "9")

        await until_async(lambda: is_rated(opened, SONGS[0], 9.0))
        assert await all_rated(opened, []) is True
        assert [await opened.rating(song) for song in SONGS[1:]] == [2, 3, 4, 5, 6, 7, 8]


async def test_play_counts_are_written_again_after_mpd_restarts_without_stickers(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(
        server, stores, ratings_config=schema.Ratings(write_plays=True)
    ) as opened:
        await stores.plays.append(play(track_id(SONGS[0])))
        opened.events.publish(PlayRecorded(play(track_id(SONGS[0]))))
        await until(lambda: opened.sticker(SONGS[0], "playCount") == "1")

        restart_without_stickers(server)

        await until(lambda: opened.sticker(SONGS[0], "playCount") == "1")
