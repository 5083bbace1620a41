"""Following events: nothing escapes, a slow watcher hurts only itself, and one may resume."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1 import rating_pb2
from anagnorisis.v1.track_pb2 import Target
from anagnorisisd import events
from anagnorisisd.domain.pick import Pick
from anagnorisisd.domain.player import PlaybackState, SongId
from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import add_tracks, play, track_id
from tests.support.rpc import House, Line, refused, serving
from tests.support.until import until

Watch = AsyncIterator[messages.WatchEventsResponse]


@pytest.fixture
def house(stores: Stores, clock: FakeClock) -> House:
    return House.build(stores, clock)


@pytest.fixture
async def line(house: House, tmp_path: Path) -> AsyncIterator[Line]:
    await add_tracks(house.stores, "a.ogg", "b.ogg")
    async with serving(house, tmp_path / "sock") as opened:
        yield opened


async def begun(line: Line, **fields: object) -> tuple[Watch, messages.WatchEventsResponse]:
    """Return a stream of events and its first message, after which nothing escapes it."""
    request = messages.WatchEventsRequest(**fields)  # type: ignore[arg-type]
    stream = aiter(line.daemon.WatchEvents(request))
    return stream, await anext(stream)


def counts(house: House, *numbers: int) -> None:
    """Announce something easily recognised for each number."""
    for number in numbers:
        house.events.publish(events.PredictionsUpdated(number))


async def test_first_message_is_a_heartbeat(house: House, line: Line) -> None:
    counts(house, 1, 2)

    _, first = await begun(line)

    assert first.WhichOneof("event") == "heartbeat"
    assert (first.sequence, first.missed) == (2, 0)
    assert first.epoch


async def test_a_rating_reaches_every_watcher(line: Line) -> None:
    watchers = [await begun(line) for _ in range(3)]
    await line.ratings.RateTrack(
        rating_pb2.RateTrackRequest(target=Target(uri="a.ogg"), rating=6, source="test")
    )

    for stream, first in watchers:
        told = await anext(stream)
        assert told.sequence == first.sequence + 1
        assert told.track_rated.rating.value == 6
        assert told.track_rated.rating.track_id == track_id("a.ogg")
        assert not told.track_rated.HasField("previous_rating")


async def test_every_kind_of_event_has_its_message(house: House, line: Line) -> None:
    some = track_id("a.ogg")
    explanation = await house.picks.explain(some)
    change = RatingChange(Rating(1, some, None, 0.0, "test"), 4.0)
    kinds: dict[str, events.Event] = {
        "track_rated": events.TrackRated(change),
        "play_recorded": events.PlayRecorded(play(some)),
        "pick_queued": events.PickQueued(Pick(some, explanation), Uri("caf\udce9.ogg")),
        "library_changed": events.LibraryChanged((some,), 1, 2),
        "tracks_embedded": events.TracksEmbedded((some,)),
        "predictions_updated": events.PredictionsUpdated(3),
        "evaluator_promoted": events.EvaluatorPromoted(4),
        "picking_switched": events.PickingSwitched(True),
        "steering_changed": events.SteeringChanged(None),
        "no_picks_reason_changed": events.NoPicksReasonChanged("the queue is full"),
        "playback_changed": events.PlaybackChanged(PlaybackState.PAUSE, SongId(0), Uri("a.ogg")),
        "upcoming_picks_changed": events.UpcomingPicksChanged((SongId(2), SongId(5))),
        "mpd_connected": events.PlayerConnected("localhost:6600"),
        "mpd_disconnected": events.PlayerDisconnected("it went away"),
    }
    stream, _ = await begun(line)

    for event in kinds.values():
        house.events.publish(event)
    told = [await anext(stream) for _ in kinds]

    assert [message.WhichOneof("event") for message in told] == list(kinds)
    assert {type(event) for event in kinds.values()} == set(events.Event.__args__)
    assert told[0].track_rated.previous_rating == 4
    assert not told[0].track_rated.rating.HasField("value")
    assert told[2].pick_queued.uri == "caf?.ogg"


async def test_a_watcher_resumes_after_the_last_event_it_saw(house: House, line: Line) -> None:
    _, first = await begun(line)
    counts(house, 1, 2, 3)

    stream, again = await begun(line, after_sequence=1, epoch=first.epoch)
    told = [(await anext(stream)).predictions_updated.count for _ in range(2)]

    assert again.sequence == 1
    assert told == [2, 3]


async def test_sequence_of_another_run_replays_everything(house: House, line: Line) -> None:
    counts(house, 1, 2)

    stream, _ = await begun(line, after_sequence=500, epoch="another run")

    assert [(await anext(stream)).sequence for _ in range(2)] == [1, 2]


async def test_events_beyond_the_buffer_count_as_missed(house: House, line: Line) -> None:
    counts(house, *range(1, 2001))

    stream, _ = await begun(line, after_sequence=0)
    told = await anext(stream)

    # The watcher's own buffer is smaller than what the daemon keeps.
    assert told.missed == told.sequence - 1
    assert told.predictions_updated.count == told.sequence


async def test_slow_watcher_gets_the_number_of_missed_events(house: House, line: Line) -> None:
    slow, _ = await begun(line)
    quick, _ = await begun(line)
    # Long lists fill the connection's window, so that the slow one's buffer overflows.
    crowd = tuple(TrackId(f"{number:032x}") for number in range(2000))
    total = 1000

    for number in range(total):
        house.events.publish(events.TracksEmbedded(crowd))
        if number % 50 == 0:
            await asyncio.sleep(0)
    seen = missed = 0
    async for message in slow:
        seen += 1
        missed += message.missed
        if message.sequence == total:
            break

    assert missed > 0
    assert seen + missed == total
    assert (await anext(quick)).sequence >= 1


async def test_silence_is_filled_with_heartbeats(house: House, line: Line) -> None:
    counts(house, 1)
    stream, _ = await begun(line, heartbeat_seconds=1)

    told = await anext(stream)

    assert told.WhichOneof("event") == "heartbeat"
    assert told.sequence == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"heartbeat_seconds": -1}, "heartbeat_seconds"),
        ({"heartbeat_seconds": 3601}, "heartbeat_seconds"),
        ({"after_sequence": -1}, "after_sequence"),
        ({"after_sequence": 1}, "after_sequence"),
    ],
)
async def test_a_request_that_cannot_be_is_refused(
    line: Line, fields: dict[str, int], field: str
) -> None:
    async def first() -> None:
        await begun(line, **fields)

    assert (await refused(first()))[2] == field


async def test_disconnected_watcher_is_unsubscribed(house: House, line: Line) -> None:
    before = house.events.watchers
    call = line.daemon.WatchEvents(messages.WatchEventsRequest())
    await anext(aiter(call))
    assert house.events.watchers == before + 1

    call.cancel()
    await until(lambda: house.events.watchers == before)
