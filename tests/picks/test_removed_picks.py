"""Picks that the listener removes from the queue, and the news of upcoming picks."""

from dataclasses import dataclass

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.player import Mode, SongId
from anagnorisisd.domain.steering import Steering, TagWish
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PlayerUnavailable, PreconditionFailed
from anagnorisisd.events import Events, Subscription, UpcomingPicksChanged
from anagnorisisd.picks.service import PickService
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import track_id
from tests.support.steering import add_styles, songs, steering_service

URIS = [*songs("jazz"), *songs("metal")]


@dataclass
class Setup:
    """A picks service with three picks after the playing song, and the events so far read."""

    picks: PickService
    player: FakePlayer
    clock: FakeClock
    steering: SteeringService
    told: Subscription

    async def refill(self) -> list[SongId]:
        """Refill the queue as after any change; return the entries of the upcoming picks."""
        await self.picks.queue_manager.refill(await self.player.state())
        return [pick.song_id for pick in await self.picks.upcoming()]

    async def upcoming(self) -> list[TrackId]:
        return [pick.track_id for pick in await self.picks.upcoming()]

    async def removed(self) -> set[TrackId]:
        """Return the tracks that are not picked because they were removed."""
        found = set()
        for uri in URIS:
            if "removed" in (await self.picks.explain(track_id(uri))).guards:
                found.add(track_id(uri))
        return found

    def news(self) -> list[tuple[SongId, ...]]:
        events = [announcement.event for announcement in self.told.arrived()]
        return [event.song_ids for event in events if isinstance(event, UpcomingPicksChanged)]


@pytest.fixture
async def setup(stores: Stores, clock: FakeClock) -> Setup:
    await add_styles(stores)
    await stores.library.mark_listed(URIS.__contains__)
    events, player = Events(clock), FakePlayer(clock, dict.fromkeys(URIS, 200.0))
    steering = steering_service(stores, events, clock)
    picks = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=schema.Picks(),
        steering=steering,
        seed=1,
    )
    player.add(URIS[0])
    await player.play()
    return Setup(picks, player, clock, steering, events.subscribe())


@pytest.mark.parametrize("client", ["another client", "this service"])
async def test_a_removed_pick_is_replaced_by_others_until_none_is_left(
    setup: Setup, client: str
) -> None:
    removed: set[TrackId] = set()

    async def remove_one() -> None:
        second = (await setup.picks.upcoming())[1]
        if client == "this service":
            assert await setup.picks.remove(second.song_id) == second.track_id
        else:
            await setup.player.remove(second.song_id)
        removed.add(second.track_id)
        assert len(await setup.refill()) == 3

    await setup.refill()
    others = len(URIS) - len(await setup.player.queue())
    while len(removed) < others - 1:
        await remove_one()
        assert not removed & set(await setup.upcoming())
    assert await setup.removed() == removed
    await remove_one()
    assert not removed & set(await setup.upcoming())
    await remove_one()

    assert removed & set(await setup.upcoming())


async def test_a_removed_pick_can_come_back_after_twelve_hours(setup: Setup) -> None:
    upcoming = await setup.refill()
    await setup.picks.remove(upcoming[0])
    await setup.refill()

    setup.clock.jump(12 * 3600 - 1)
    shortly_before = await setup.removed()
    setup.clock.jump(2)

    assert len(shortly_before) == 1
    assert await setup.removed() == set()


async def test_what_the_daemon_replaces_was_not_removed_by_the_listener(setup: Setup) -> None:
    before = await setup.refill()
    await setup.steering.steer(Steering((TagWish("metal"),)))

    after = await setup.refill()

    assert not set(before) & set(after)
    assert await setup.removed() == set()


async def test_what_was_played_or_cleared_was_not_removed_as_a_pick(setup: Setup) -> None:
    setup.player.set_modes(consume=Mode.ON)
    await setup.refill()
    await setup.player.skip()
    await setup.refill()
    await setup.player.skip()
    await setup.refill()
    after_two_songs = await setup.removed()
    setup.player.clear()
    setup.player.add(URIS[1])
    await setup.player.play()

    assert len(await setup.refill()) == 3
    assert after_two_songs == await setup.removed() == set()


async def test_all_picks_removed_at_once_are_replaced_by_others(setup: Setup) -> None:
    before = await setup.refill()
    tracks = set(await setup.upcoming())
    for song_id in before:  # as `mpc crop` does
        await setup.player.remove(song_id)

    assert len(await setup.refill()) == 3
    assert await setup.removed() == tracks


async def test_only_upcoming_picks_can_be_removed(setup: Setup) -> None:
    first, *others = await setup.refill()
    current = (await setup.player.state()).song_id
    (own,) = setup.player.add(URIS[0])
    setup.player.jump(first)
    await setup.refill()

    for song_id in (current, own, first, SongId(987)):
        assert song_id is not None
        with pytest.raises(PreconditionFailed):
            await setup.picks.remove(song_id)
    await setup.picks.remove(others[1])
    with pytest.raises(PreconditionFailed):
        await setup.picks.remove(others[1])

    entries = [entry.song_id for entry in await setup.player.queue()]
    assert set(entries) >= {current, own, first, others[0]}
    setup.player.vanish()
    with pytest.raises(PlayerUnavailable):
        await setup.picks.remove(others[0])
    with pytest.raises(PlayerUnavailable):
        await setup.picks.upcoming()


async def test_every_change_of_the_upcoming_picks_is_told_once(setup: Setup) -> None:
    a, b, c = await setup.refill()
    added = setup.news()
    await setup.refill()
    setup.player.add(URIS[0])
    await setup.refill()
    nothing_new = setup.news()
    setup.player.move(c, 1)
    await setup.refill()
    moved = setup.news()
    await setup.player.skip()
    d = (await setup.refill())[-1]
    started = setup.news()
    await setup.player.remove(b)
    e = (await setup.refill())[-1]
    removed = setup.news()

    assert (added, nothing_new) == ([(a, b, c)], [])
    assert moved == [(c, a, b)]
    assert started == [(a, b), (a, b, d)]
    assert removed == [(a, d), (a, d, e)]
