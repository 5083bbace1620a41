"""The listener's newest word counts, as a sticker of a real MPD or given here, on any copy."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from anagnorisisd.config import schema
from anagnorisisd.events import LibraryChanged
from anagnorisisd.ratings.stickers.snapshot import EVENT_DELAY_SECONDS
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.library import scanned, track_id
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

pytestmark = pytest.mark.slow

SONGS = [f"{letter}.wav" for letter in "abcd"]
READ_ONLY = schema.Ratings(write_stickers=False)
LIKES = schema.Ratings(read_like=True)
LIKES_ONLY = schema.Ratings(read_stickers=False, write_stickers=False, read_like=True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("words"), SONGS, seconds=1) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    for song in SONGS:
        for line in shared.mpc("sticker", song, "list").splitlines():
            shared.mpc("sticker", song, "delete", line.partition("=")[0])
    return shared


async def rated(listener: MpdServices, uri: str, value: float | None) -> None:
    """Wait until the track at `uri` has this rating."""

    async def holds() -> bool:
        return await listener.rating(uri) == value

    await until_async(holds)


async def stickered(listener: MpdServices, uri: str, value: str | None) -> None:
    """Wait until other clients see this rating."""
    await until(lambda: listener.sticker(uri) == value)


async def say(listener: MpdServices, uri: str, value: str | None, name: str = "rating") -> None:
    """Set or delete a sticker as a client."""
    if value is None:
        await listener.server.ask("sticker", uri, "delete", name)
    else:
        await listener.server.ask("sticker", uri, "set", name, value)


# What a client says counts, whatever is configured for the other direction.


async def test_client_changes_a_sticker_twice_without_sticker_writing(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(server, stores, ratings_config=READ_ONLY) as listener:
        await listener.ratings.rate(track_id("a.wav"), 8, source="test")
        await listener.looked()
        for value in ("3", "4", "3"):
            await say(listener, "a.wav", value)
            await rated(listener, "a.wav", float(value))

        assert listener.sticker("a.wav") == "3"


async def test_client_changes_a_sticker_after_a_rating_here(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(server, stores, ratings_config=READ_ONLY) as listener:
        await say(listener, "a.wav", "5")
        await rated(listener, "a.wav", 5.0)
        await listener.ratings.rate(track_id("a.wav"), 8, source="test")
        await listener.looked()
        assert await listener.rating("a.wav") == 8.0

        await say(listener, "a.wav", "3")

        await rated(listener, "a.wav", 3.0)
        await say(listener, "a.wav", None)
        await rated(listener, "a.wav", None)


async def test_rating_overwrites_an_invalid_sticker_after_a_refusal(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(server, stores) as listener:
        await say(listener, "a.wav", "great")
        await listener.looked()
        with closing(sqlite3.connect(server.folder / "sticker.sql")) as other, other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE UPDATE ON sticker"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        await listener.ratings.rate(track_id("a.wav"), 3, source="test")
        await listener.looked()
        assert listener.sticker("a.wav") == "great"
        with closing(sqlite3.connect(server.folder / "sticker.sql")) as other, other:
            other.execute("DROP TRIGGER refuse")

        server.mpc("update", "--wait")

        await stickered(listener, "a.wav", "3")


async def test_rating_overwrites_an_invalid_sticker_after_a_restart(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(server, stores) as listener:
        await say(listener, "a.wav", "great")
        await listener.looked()
    await stores.ratings.rate(track_id("a.wav"), 3.0, at=1.0, source="test")

    async with mpd_services(server, stores) as listener:
        await stickered(listener, "a.wav", "3")


# The order of arrival.


@pytest.mark.parametrize("config", [schema.Ratings(), READ_ONLY], ids=["written", "not written"])
async def test_rapid_changes_count_in_order(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings
) -> None:
    async with mpd_services(server, stores, ratings_config=config) as listener:
        await listener.looked()
        for first, (song, there) in enumerate(zip(SONGS * 2, "23456789", strict=True)):
            if first % 2:
                await heard(listener, song, there)
                await listener.ratings.rate(track_id(song), 1.0, source="test")
                await listener.looked()
                assert await listener.rating(song) == 1.0
            else:
                await listener.ratings.rate(track_id(song), 1.0, source="test")
                await a_moment(listener, song, config)
                await say(listener, song, there)
                await listener.looked()
                assert await listener.rating(song) == float(there)


async def heard(listener: MpdServices, uri: str, value: str) -> None:
    """Set a sticker as a client, and wait until MPD has reported that; nothing is compared yet."""
    events = listener.sticker_sync.sticker_events
    await say(listener, uri, value)
    await until(lambda: listener.sticker_sync.sticker_events > events)


async def a_moment(listener: MpdServices, uri: str, config: schema.Ratings) -> None:
    """Wait until a rating was written, and MPD cannot report an earlier change any more."""
    rated_at = time.time()
    if config.write_stickers:
        await stickered(listener, uri, "1")
    await until(lambda: time.time() > rated_at + 2 * EVENT_DELAY_SECONDS)


# Copies.


async def with_a_copy(listener: MpdServices) -> None:
    """Let the library know that b.wav is the same audio as a.wav."""
    await listener.stores.library.store_files([scanned("b.wav", audio="a.wav")], 1.0)
    listener.events.publish(LibraryChanged())
    await listener.looked()


async def test_every_file_of_a_track_gets_its_rating(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        await with_a_copy(listener)

        await listener.ratings.rate(track_id("a.wav"), 6, source="test")

        await stickered(listener, "a.wav", "6")
        await stickered(listener, "b.wav", "6")
        await listener.ratings.clear(track_id("a.wav"), source="test")
        await stickered(listener, "a.wav", None)
        await stickered(listener, "b.wav", None)


async def test_newest_sticker_of_any_file_counts(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        await with_a_copy(listener)
        await listener.ratings.rate(track_id("a.wav"), 6, source="test")
        await stickered(listener, "b.wav", "6")
        await listener.looked()

        for uri, other, value in (("b.wav", "a.wav", "3"), ("a.wav", "b.wav", "9")):
            await say(listener, uri, value)
            await rated(listener, "a.wav", float(value))
            await stickered(listener, other, value)
            await listener.looked()
            assert (listener.sticker(uri), await listener.rating("a.wav")) == (value, float(value))
        await say(listener, "b.wav", None)
        await rated(listener, "a.wav", None)
        await stickered(listener, "a.wav", None)


async def test_later_file_of_a_track_gets_its_rating(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        await listener.ratings.rate(track_id("a.wav"), 6, source="test")
        await stickered(listener, "a.wav", "6")

        await with_a_copy(listener)

        await stickered(listener, "b.wav", "6")


async def test_both_files_changed_while_the_daemon_was_off(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        await with_a_copy(listener)
    server.mpc("sticker", "a.wav", "set", "rating", "2")
    server.mpc("sticker", "b.wav", "set", "rating", "7")

    async with mpd_services(server, stores) as listener:
        await with_a_copy(listener)
        await until_async(lambda: alike(listener))


async def alike(listener: MpdServices) -> bool:
    value = await listener.rating("a.wav")
    stickers = {listener.sticker(uri) for uri in ("a.wav", "b.wav")}
    return value in {2.0, 7.0} and stickers == {f"{value:g}"}


# Likes.


@pytest.mark.parametrize("config", [LIKES, LIKES_ONLY], ids=["beside ratings", "alone"])
async def test_like_of_a_rated_song(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings
) -> None:
    async with mpd_services(server, stores, ratings_config=config) as listener:
        await listener.ratings.rate(track_id("a.wav"), 9, source="test")
        await listener.looked()

        await say(listener, "a.wav", "0", "like")

        await rated(listener, "a.wav", 2.0)


@pytest.mark.parametrize("off", [None, "1"])
@pytest.mark.parametrize("config", [LIKES, LIKES_ONLY], ids=["beside ratings", "alone"])
async def test_like_removed_and_disliked(
    server: mpd.Mpd, stores: Stores, config: schema.Ratings, off: str | None
) -> None:
    async with mpd_services(server, stores, ratings_config=config) as listener:
        await listener.looked()
        for like, value in (("2", 8.0), (off, None), ("0", 2.0), (off, None), ("2", 8.0)):
            await say(listener, "a.wav", like, "like")
            await rated(listener, "a.wav", value)
            await listener.looked()


async def test_removed_like_clears_only_its_own_rating(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores, ratings_config=LIKES) as listener:
        await listener.looked()
        await say(listener, "a.wav", "2", "like")
        await rated(listener, "a.wav", 8.0)
        await listener.ratings.rate(track_id("a.wav"), 6, source="test")
        await stickered(listener, "a.wav", "6")
        await listener.looked()

        await say(listener, "a.wav", None, "like")
        for _ in range(3):
            await listener.looked()

        assert await listener.rating("a.wav") == 6.0


async def test_earlier_like_counts_only_without_a_rating(server: mpd.Mpd, stores: Stores) -> None:
    for song in SONGS[:2]:
        server.mpc("sticker", song, "set", "like", "0")
    async with mpd_services(server, stores) as listener:  # knows the songs; likes are not read
        await listener.ratings.rate(track_id("a.wav"), 9, source="test")
        await stickered(listener, "a.wav", "9")

    async with mpd_services(server, stores, ratings_config=LIKES) as listener:
        await rated(listener, "b.wav", 2.0)
        await listener.looked()

        assert await listener.rating("a.wav") == 9.0
