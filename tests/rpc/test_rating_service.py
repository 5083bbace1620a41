"""Ratings through the socket: what is answered, what is stored, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1 import rating_pb2 as messages
from anagnorisis.v1.track_pb2 import CurrentSong, Target
from anagnorisisd.domain.track import Uri
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import add_tracks, track_id
from tests.support.rpc import House, Line, refused, serving

PLAYING = Target(current=CurrentSong())


@pytest.fixture
def house(stores: Stores, clock: FakeClock) -> House:
    return House.build(stores, clock)


@pytest.fixture
async def line(house: House, tmp_path: Path) -> AsyncIterator[Line]:
    await add_tracks(house.stores, "a.ogg", "b.ogg")
    house.player.database = {Uri(uri): 100.0 for uri in ("a.ogg", "b.ogg", "other.ogg")}
    async with serving(house, tmp_path / "sock") as opened:
        yield opened


async def values(house: House) -> list[float | None]:
    history = await house.stores.ratings.history(limit=100)
    return [entry.value for entry in reversed(history)]


async def test_a_rating_is_stored_before_it_is_answered(house: House, line: Line) -> None:
    answer = await line.ratings.RateTrack(
        messages.RateTrackRequest(target=Target(uri="a.ogg"), rating=7.5, source="test")
    )

    assert answer.change.rating == 7.5
    assert not answer.change.HasField("previous_rating")
    assert answer.change.track.uri == "a.ogg"
    assert answer.change.track.rating == 7.5
    newest = (await house.stores.ratings.history(limit=1))[0]
    assert (newest.value, newest.source, newest.sequence) == (7.5, "test", answer.change.sequence)


async def test_every_way_of_naming_a_track_reaches_it(house: House, line: Line) -> None:
    song, _ = house.player.add("a.ogg", "b.ogg")
    await house.player.play()
    targets = (
        Target(track_id=track_id("a.ogg")),
        Target(uri="a.ogg"),
        Target(mpd_uri="a.ogg"),
        Target(song_id=song),
        PLAYING,
    )

    for target in targets:
        answer = await line.ratings.RateTrack(messages.RateTrackRequest(target=target, rating=3))
        assert answer.change.track.track_id == track_id("a.ogg")


async def test_a_song_id_hits_its_song_even_after_the_track_changed(
    house: House, line: Line
) -> None:
    pressed, _ = house.player.add("a.ogg", "b.ogg")
    await house.player.play()
    await house.player.skip()

    answer = await line.ratings.RateTrack(
        messages.RateTrackRequest(target=Target(song_id=pressed), delta=1)
    )

    assert answer.change.track.uri == "a.ogg"
    assert answer.change.rating == 6


async def test_a_retry_with_the_same_request_id_changes_nothing(house: House, line: Line) -> None:
    request = messages.RateTrackRequest(target=Target(uri="a.ogg"), delta=1, request_id="once")

    first = await line.ratings.RateTrack(request)
    second = await line.ratings.RateTrack(request)

    assert first.change.sequence == second.change.sequence
    assert await values(house) == [6]


async def test_clearing_is_not_rating_zero_and_undo_brings_the_rating_back(
    house: House, line: Line
) -> None:
    target = Target(uri="a.ogg")
    await line.ratings.RateTrack(messages.RateTrackRequest(target=target, rating=0))

    cleared = await line.ratings.ClearRating(messages.ClearRatingRequest(target=target))
    undone = await line.ratings.UndoRating(messages.UndoRatingRequest())

    assert cleared.change.previous_rating == 0
    assert not cleared.change.HasField("rating")
    assert undone.change.rating == 0
    assert not undone.change.HasField("previous_rating")
    assert await values(house) == [0, None, 0]


@pytest.mark.parametrize(
    ("request_", "code", "reason", "field"),
    [
        ({"rating": 11, "target": PLAYING}, "INVALID_ARGUMENT", "INVALID_VALUE", "rating"),
        ({"rating": -0.1, "target": PLAYING}, "INVALID_ARGUMENT", "INVALID_VALUE", "rating"),
        (
            {"rating": float("nan"), "target": PLAYING},
            "INVALID_ARGUMENT",
            "INVALID_VALUE",
            "rating",
        ),
        ({"delta": 11, "target": PLAYING}, "INVALID_ARGUMENT", "INVALID_VALUE", "delta"),
        ({"delta": float("inf"), "target": PLAYING}, "INVALID_ARGUMENT", "INVALID_VALUE", "delta"),
        ({"target": PLAYING}, "INVALID_ARGUMENT", "INVALID_VALUE", "value"),
        ({"rating": 5}, "INVALID_ARGUMENT", "INVALID_VALUE", "target"),
        ({"rating": 5, "target": Target()}, "INVALID_ARGUMENT", "INVALID_VALUE", "target"),
        (
            {"rating": 5, "target": Target(track_id="x")},
            "INVALID_ARGUMENT",
            "INVALID_VALUE",
            "target.track_id",
        ),
        (
            {"rating": 5, "target": Target(uri="a\0b")},
            "INVALID_ARGUMENT",
            "INVALID_VALUE",
            "target.uri",
        ),
        (
            {"rating": 5, "target": Target(song_id=-1)},
            "INVALID_ARGUMENT",
            "INVALID_VALUE",
            "target.song_id",
        ),
        (
            {"rating": 5, "target": PLAYING, "source": "x" * 65},
            "INVALID_ARGUMENT",
            "INVALID_VALUE",
            "source",
        ),
        (
            {"rating": 5, "target": PLAYING, "request_id": "x" * 129},
            "INVALID_ARGUMENT",
            "INVALID_VALUE",
            "request_id",
        ),
        ({"rating": 5, "target": PLAYING}, "FAILED_PRECONDITION", "NOTHING_PLAYING", ""),
        ({"rating": 5, "target": Target(song_id=7)}, "NOT_FOUND", "UNKNOWN_TRACK", ""),
        ({"rating": 5, "target": Target(uri="x.ogg")}, "NOT_FOUND", "UNKNOWN_TRACK", ""),
        ({"rating": 5, "target": Target(track_id="0" * 32)}, "NOT_FOUND", "UNKNOWN_TRACK", ""),
    ],
)
async def test_refused_request_changes_nothing(
    house: House, line: Line, request_: dict[str, object], code: str, reason: str, field: str
) -> None:
    call = line.ratings.RateTrack(messages.RateTrackRequest(**request_))  # type: ignore[arg-type]

    assert await refused(call) == (grpc.StatusCode[code], reason, field)
    assert await values(house) == []


async def test_a_song_outside_the_library_is_not_found(house: House, line: Line) -> None:
    house.player.add("other.ogg")
    await house.player.play()

    call = line.ratings.RateTrack(messages.RateTrackRequest(target=PLAYING, rating=5))

    assert (await refused(call))[:2] == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_TRACK")


async def test_rating_by_path_without_mpd(house: House, line: Line) -> None:
    house.player.vanish()

    away = line.ratings.RateTrack(messages.RateTrackRequest(target=PLAYING, rating=5))
    assert (await refused(away))[:2] == (grpc.StatusCode.UNAVAILABLE, "PLAYER_UNAVAILABLE")
    await line.ratings.RateTrack(messages.RateTrackRequest(target=Target(uri="a.ogg"), rating=5))

    assert await values(house) == [5]


async def test_nothing_to_undo_has_its_own_reason(line: Line) -> None:
    call = line.ratings.UndoRating(messages.UndoRatingRequest())

    assert (await refused(call))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_UNDO")


async def test_the_history_comes_in_pages_newest_first(house: House, line: Line) -> None:
    for value in range(5):
        await house.stores.ratings.rate(track_id("a.ogg"), value, at=1.0, source="test")
    await house.stores.ratings.rate(track_id("b.ogg"), 9, at=2.0, source="test")
    request = messages.ListRatingsRequest(target=Target(uri="a.ogg"), page_size=2)
    pages = []

    while True:
        page = await line.ratings.ListRatings(request)
        pages.append([entry.value for entry in page.ratings])
        request.page_token = page.next_page_token
        if not request.page_token:
            break

    assert pages == [[4, 3], [2, 1], [0]]
    everything = await line.ratings.ListRatings(messages.ListRatingsRequest())
    assert [entry.value for entry in everything.ratings] == [9, 4, 3, 2, 1, 0]
    assert [entry.uri for entry in everything.ratings[:2]] == ["b.ogg", "a.ogg"]


@pytest.mark.parametrize("token", ["x", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "é", "=" * 40])
async def test_a_made_up_page_token_is_refused(line: Line, token: str) -> None:
    call = line.ratings.ListRatings(messages.ListRatingsRequest(page_token=token))

    assert await refused(call) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_VALUE",
        "page_token",
    )


async def test_a_page_token_of_another_list_is_refused(house: House, line: Line) -> None:
    for value in range(3):
        await house.stores.ratings.rate(track_id("a.ogg"), value, at=1.0, source="test")
    first = await line.ratings.ListRatings(messages.ListRatingsRequest(page_size=1))

    call = line.ratings.ListRatings(
        messages.ListRatingsRequest(
            target=Target(uri="a.ogg"), page_size=1, page_token=first.next_page_token
        )
    )

    assert (await refused(call))[2] == "page_token"


async def test_a_caller_who_leaves_midway_leaves_nothing_half_done(
    house: House, line: Line
) -> None:
    with house.events.subscribe() as announced:
        for _ in range(20):
            call = line.ratings.RateTrack(
                messages.RateTrackRequest(target=Target(uri="a.ogg"), rating=4)
            )
            await asyncio.sleep(0)
            call.cancel()
        await line.ratings.RateTrack(
            messages.RateTrackRequest(target=Target(uri="b.ogg"), rating=9)
        )
        stored = len(await values(house))

        told = [await announced.next() for _ in range(stored)]

    assert len(told) == stored
