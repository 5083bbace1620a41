"""Announcements: numbered, replayed, dropped when nobody takes them, and counted then."""

import asyncio

import pytest

from anagnorisisd.events import Events, LibraryChanged, PredictionsUpdated, Subscription
from tests.fakes.clock import FakeClock


@pytest.fixture
def events(clock: FakeClock) -> Events:
    """Announcements that keep five."""
    return Events(clock, keep=5)


def publish(events: Events, *counts: int) -> None:
    """Announce events that can be told apart."""
    for count in counts:
        events.publish(PredictionsUpdated(count))


def taken(subscription: Subscription) -> list[tuple[int, int]]:
    """Return the sequences that arrived, each with what was missed before it."""
    return [(each.sequence, each.missed) for each in subscription.arrived()]


async def test_subscribers_get_all_events_in_order(events: Events, clock: FakeClock) -> None:
    one, two = events.subscribe(), events.subscribe()
    publish(events, 10)
    clock.jump(5)
    publish(events, 20)
    for subscription in (one, two):
        first, second = await subscription.next(), await subscription.next()
        assert (first.event, second.event) == (PredictionsUpdated(10), PredictionsUpdated(20))
        assert (first.sequence, second.sequence) == (1, 2)
        assert second.at - first.at == 5


async def test_waiting_subscriber_is_woken(events: Events) -> None:
    subscription = events.subscribe()
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    events.publish(LibraryChanged(moved=1))
    assert (await waiting).event == LibraryChanged(moved=1)


async def test_iteration_continues_until_cancelled(events: Events) -> None:
    heard: list[int] = []

    async def listen() -> None:
        async for announcement in events.subscribe():
            heard.append(announcement.sequence)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    publish(events, 1, 2)
    await asyncio.sleep(0)
    publish(events, 3)
    await asyncio.sleep(0)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert heard == [1, 2, 3]


async def test_slow_subscriber_misses_the_oldest_events(events: Events) -> None:
    subscription = events.subscribe(buffer=2)
    publish(events, 1, 2, 3, 4)
    assert taken(subscription) == [(3, 2), (4, 0)]
    publish(events, 5)
    assert (await subscription.next()).missed == 0


async def test_slow_subscriber_does_not_delay_others(events: Events) -> None:
    slow, quick = events.subscribe(buffer=1), events.subscribe()
    publish(events, 1, 2, 3)
    assert taken(quick) == [(1, 0), (2, 0), (3, 0)]
    assert taken(slow) == [(3, 2)]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, [(4, 3), (5, 0), (6, 0), (7, 0), (8, 0)]),
        (3, [(4, 0), (5, 0), (6, 0), (7, 0), (8, 0)]),
        (6, [(7, 0), (8, 0)]),
        (8, []),
        (99, []),
        (None, []),
    ],
)
async def test_events_after_a_sequence_number_are_replayed(
    events: Events, after: int | None, expected: list[tuple[int, int]]
) -> None:
    publish(events, *range(8))
    assert taken(events.subscribe(after=after)) == expected


async def test_replay_longer_than_the_buffer_counts_missed_events(events: Events) -> None:
    publish(events, *range(8))
    assert taken(events.subscribe(after=0, buffer=2)) == [(7, 6), (8, 0)]


async def test_missed_events_are_counted_with_the_next_event(
    clock: FakeClock,
) -> None:
    events = Events(clock, keep=0)
    publish(events, 1, 2)
    subscription = events.subscribe(after=0)
    assert taken(subscription) == []
    publish(events, 3)
    assert taken(subscription) == [(3, 2)]


async def test_subscription_ends_with_its_context(events: Events) -> None:
    with events.subscribe() as subscription:
        assert events.watchers == 1
    assert events.watchers == 0
    publish(events, 1)
    assert (taken(subscription), events.sequence) == ([], 1)
