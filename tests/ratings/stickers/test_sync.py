"""Ratings and the stickers of a real MPD, seen from other clients."""

from collections.abc import AsyncIterator, Iterator

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.events import PlayRecorded, PredictionsUpdated
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.library import play, predict, track_id
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

pytestmark = pytest.mark.slow

SONGS = [f"{letter}.wav" for letter in "abcd"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("stickers"), SONGS) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    shared.mpc("clear")
    for song in SONGS:
        for line in shared.mpc("sticker", song, "list").splitlines():
            shared.mpc("sticker", song, "delete", line.partition("=")[0])
    return shared


@pytest.fixture
async def listener(server: mpd.Mpd, stores: Stores) -> AsyncIterator[MpdServices]:
    async with mpd_services(server, stores) as opened:
        yield opened


async def rated(listener: MpdServices, uri: str, value: float | None) -> None:
    """Wait until the track at `uri` has this rating."""

    async def holds() -> bool:
        return await listener.rating(uri) == value

    await until_async(holds)


async def stickered(
    listener: MpdServices, uri: str, value: str | None, name: str = "rating"
) -> None:
    """Wait until other clients see this sticker."""
    await until(lambda: listener.sticker(uri, name) == value)


async def test_client_sets_a_sticker(listener: MpdServices) -> None:
    listener.server.mpc("sticker", "a.wav", "set", "rating", "8")

    await rated(listener, "a.wav", 8.0)

    assert await listener.sources() == ["sticker"]


async def test_rating_set_here_is_written_to_the_sticker(listener: MpdServices) -> None:
    await listener.ratings.rate(track_id("a.wav"), 7.5, source="test")

    await stickered(listener, "a.wav", "8")
    await listener.looked()

    assert await listener.sources() == ["test"]  # our own writing did not come back
    assert await listener.rating("a.wav") == 7.5


async def test_cleared_rating_deletes_the_sticker(listener: MpdServices) -> None:
    await listener.ratings.rate(track_id("a.wav"), 6, source="test")
    await stickered(listener, "a.wav", "6")

    await listener.ratings.clear(track_id("a.wav"), source="test")

    await stickered(listener, "a.wav", None)


async def test_rating_0_is_not_unrated(listener: MpdServices) -> None:
    listener.server.mpc("sticker", "a.wav", "set", "rating", "0")
    await rated(listener, "a.wav", 0.0)

    listener.server.mpc("sticker", "a.wav", "delete", "rating")

    await rated(listener, "a.wav", None)


async def test_invalid_stickers_are_ignored(listener: MpdServices) -> None:
    for song, text in zip(SONGS, ("07", "85", "great", "9.5"), strict=True):
        listener.server.mpc("sticker", song, "set", "rating", text)

    await rated(listener, "a.wav", 7.0)
    await rated(listener, "d.wav", 9.5)
    await listener.looked()

    assert await listener.rating("b.wav") is None
    assert [listener.sticker(song) for song in SONGS] == ["07", "85", "great", "9.5"]


async def test_rating_overwrites_an_invalid_sticker(listener: MpdServices) -> None:
    listener.server.mpc("sticker", "a.wav", "set", "rating", "great")
    await listener.looked()

    await listener.ratings.rate(track_id("a.wav"), 3, source="test")

    await stickered(listener, "a.wav", "3")


async def test_existing_stickers_are_imported_once(server: mpd.Mpd, stores: Stores) -> None:
    server.mpc("sticker", "a.wav", "set", "rating", "8")
    server.mpc("sticker", "b.wav", "set", "rating", "2")

    async with mpd_services(server, stores) as listener:
        await rated(listener, "a.wav", 8.0)
        await rated(listener, "b.wav", 2.0)
    async with mpd_services(server, stores) as listener:
        await listener.looked()

        assert len(await listener.sources()) == 2


async def test_changes_while_the_daemon_was_off(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        for song in SONGS[:2]:
            await listener.ratings.rate(track_id(song), 5, source="test")
            await stickered(listener, song, "5")
    server.mpc("sticker", "a.wav", "set", "rating", "9")
    await stores.ratings.rate(track_id("b.wav"), 1.0, at=1.0, source="test")

    async with mpd_services(server, stores) as listener:
        await rated(listener, "a.wav", 9.0)
        await stickered(listener, "b.wav", "1")


async def test_sticker_lost_while_the_daemon_was_off(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        await listener.ratings.rate(track_id("a.wav"), 5, source="test")
        await stickered(listener, "a.wav", "5")
    server.mpc("sticker", "a.wav", "delete", "rating")

    async with mpd_services(server, stores) as listener:
        await stickered(listener, "a.wav", "5")

        assert await listener.rating("a.wav") == 5.0


async def test_file_leaves_mpds_database(listener: MpdServices) -> None:
    await listener.ratings.rate(track_id("c.wav"), 4, source="test")
    await stickered(listener, "c.wav", "4")
    file = listener.server.music / "c.wav"
    aside = file.with_suffix(".aside")

    file.rename(aside)
    listener.server.mpc("update", "--wait")
    await listener.looked()
    aside.rename(file)
    listener.server.mpc("update", "--wait")

    await stickered(listener, "c.wav", "4")
    assert await listener.sources() == ["test"]


async def test_sticker_sync_switched_off(server: mpd.Mpd, stores: Stores) -> None:
    off = schema.Ratings(read_stickers=False, write_stickers=False)
    async with mpd_services(server, stores, ratings_config=off) as listener:
        server.mpc("sticker", "a.wav", "set", "rating", "8")
        await listener.ratings.rate(track_id("b.wav"), 4, source="test")
        await listener.looked()

        assert await listener.rating("a.wav") is None
        assert listener.sticker("b.wav") is None


async def test_likes_become_ratings_if_configured(server: mpd.Mpd, stores: Stores) -> None:
    for song, like in zip(SONGS, "210", strict=False):
        server.mpc("sticker", song, "set", "like", like)
    async with mpd_services(
        server, stores, ratings_config=schema.Ratings(read_like=True)
    ) as listener:
        await rated(listener, "a.wav", 8.0)
        await rated(listener, "c.wav", 2.0)
        await stickered(listener, "a.wav", "8")
        server.mpc("sticker", "a.wav", "set", "like", "0")
        await rated(listener, "a.wav", 2.0)

        assert await listener.rating("b.wav") is None


async def test_likes_are_ignored_by_default(listener: MpdServices) -> None:
    listener.server.mpc("sticker", "a.wav", "set", "like", "2")
    await listener.looked()

    assert await listener.rating("a.wav") is None


async def test_predicted_ratings_and_play_counts_are_written_if_configured(
    server: mpd.Mpd, stores: Stores
) -> None:
    shown = schema.Ratings(write_predicted=True, write_plays=True)
    async with mpd_services(server, stores, ratings_config=shown) as listener:
        await predict(stores, {track_id("a.wav"): 7.34})
        listener.events.publish(PredictionsUpdated(1))
        await stickered(listener, "a.wav", "7.3", "predictedRating")

        for outcome in (PlayOutcome.FULL, PlayOutcome.FULL, PlayOutcome.SKIP):
            await stores.plays.append(play(track_id("b.wav"), outcome, ended_at=1_000_000.0))
        listener.events.publish(PlayRecorded(play(track_id("b.wav"))))
        await stickered(listener, "b.wav", "2", "playCount")
        await stickered(listener, "b.wav", "1", "skipCount")
        await stickered(listener, "b.wav", "1000000", "lastPlayed")


async def test_sync_after_it_is_switched_on(server: mpd.Mpd, stores: Stores) -> None:
    nothing = schema.Ratings(read_stickers=False, write_stickers=False)
    async with mpd_services(server, stores, ratings_config=nothing) as listener:
        server.mpc("sticker", "a.wav", "set", "rating", "8")
        await listener.ratings.rate(track_id("b.wav"), 6, source="test")
        await listener.looked()
        assert listener.sticker("b.wav", "rating") is None

        listener.sticker_sync.reconfigure(schema.Ratings())

        await rated(listener, "a.wav", 8.0)
        await stickered(listener, "b.wav", "6")
