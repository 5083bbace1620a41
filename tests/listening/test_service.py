"""Plays and where they are stored, with a player that obeys the test's clock."""

from dataclasses import dataclass

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.errors import StoreError
from anagnorisisd.events import Events, PlayJudged
from anagnorisisd.listening.service import PlayService
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import EPOCH, scanned, track_id

SONGS = {"a.ogg": 200.0, "b.ogg": 200.0, "c.ogg": 200.0, "stranger.ogg": 200.0}


@dataclass
class Seat:
    """Where the test sits: it moves time, and looks."""

    clock: FakeClock
    player: FakePlayer
    listening: PlayService
    stores: Stores

    async def look(self, after_seconds: float = 0.0) -> None:
        """Let time pass and look at the player."""
        self.clock.jump(after_seconds)
        await self.listening.observe(await self.player.state(), await self.player.queue())
        await self.listening.save()

    async def plays(self) -> list[tuple[str, PlayOutcome]]:
        """Return the stored plays, oldest first."""
        names = {track_id(uri): uri for uri in SONGS}
        found = reversed(await self.stores.plays.recent(100))
        return [(names[play.track_id], play.outcome) for play in found]


async def add_songs(stores: Stores, *uris: str, seconds: float | None = 200.0) -> None:
    """Add tracks that are as long for the library as for the player, or as long as is said."""
    await stores.library.absorb([scanned(uri, duration_seconds=seconds) for uri in uris], EPOCH)


@pytest.fixture
async def seat(stores: Stores, clock: FakeClock) -> Seat:
    await add_songs(stores, "a.ogg", "b.ogg", "c.ogg")
    player = FakePlayer(clock, SONGS)
    listening = PlayService(stores.library, stores.plays, Events(clock), clock, schema.Listening())
    return Seat(clock, player, listening, stores)


async def test_plays_are_stored_with_their_times(seat: Seat) -> None:
    seat.player.add("a.ogg", "b.ogg")
    began = seat.clock.now()
    await seat.player.play()
    await seat.look()
    await seat.look(200.01)

    (play,) = await seat.stores.plays.recent(1)

    assert (play.track_id, play.outcome) == (track_id("a.ogg"), PlayOutcome.FULL)
    assert play.started_at == pytest.approx(began)
    assert play.ended_at == pytest.approx(began + 200, abs=0.1)
    assert play.heard_seconds == pytest.approx(200, abs=0.1)
    assert play.duration_seconds == 200


async def test_a_skip_is_stored_once_it_cannot_be_browsing(seat: Seat) -> None:
    seat.player.add("a.ogg", "b.ogg")
    await seat.player.play()
    await seat.look()
    await seat.look(30)
    await seat.player.skip()
    await seat.look()
    assert await seat.plays() == []

    await seat.look(21)

    assert await seat.plays() == [("a.ogg", PlayOutcome.SKIP)]


async def test_a_skip_that_is_held_back_is_stored_at_the_end(seat: Seat) -> None:
    seat.player.add("a.ogg", "b.ogg")
    await seat.player.play()
    await seat.look()
    await seat.look(30)
    await seat.player.skip()
    await seat.look()

    await seat.listening.close()

    assert await seat.plays() == [("a.ogg", PlayOutcome.SKIP)]


async def test_songs_outside_the_library_are_none_of_our_business(seat: Seat) -> None:
    seat.player.add("stranger.ogg", "a.ogg")
    await seat.player.play()
    await seat.look()
    await seat.look(200.01)
    await seat.look(200)

    assert await seat.plays() == [("a.ogg", PlayOutcome.FULL)]


async def test_a_link_that_breaks_neither_doubles_nor_loses_a_play(seat: Seat) -> None:
    seat.player.add("a.ogg", "b.ogg")
    await seat.player.play()
    for _ in range(5):
        await seat.look(20)
        seat.listening.disconnected()
    await seat.look(100.1)
    await seat.look(1)

    assert await seat.plays() == [("a.ogg", PlayOutcome.FULL)]


class FullDisk(PlayStore):
    """Plays on a disk that is full for a while."""

    failures = 2

    async def append(self, play: Play) -> None:
        """Store a play, if there is room again."""
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        await super().append(play)


async def test_a_play_that_could_not_be_stored_is_stored_later(
    stores: Stores, clock: FakeClock
) -> None:
    await add_songs(stores, "a.ogg", "b.ogg")
    player, events = FakePlayer(clock, SONGS), Events(clock)
    plays = FullDisk(stores.database)
    listening = PlayService(stores.library, plays, events, clock, schema.Listening())
    seat = Seat(clock, player, listening, stores)
    player.add("a.ogg", "b.ogg")
    await player.play()
    await seat.look()

    for seconds in (200.01, 1):
        with pytest.raises(StoreError):
            await seat.look(seconds)
    with events.subscribe() as announcements:
        await seat.look(1)
        await seat.look(1)

        told = [announcement.event for announcement in announcements.arrived()]

    assert await seat.plays() == [("a.ogg", PlayOutcome.FULL)]
    assert [type(event) for event in told] == [PlayJudged]


async def test_other_limits_hold_for_what_ends_from_now_on(seat: Seat) -> None:
    seat.player.add("a.ogg", "b.ogg", "c.ogg")
    await seat.player.play()
    await seat.look()
    await seat.look(110)

    seat.listening.reconfigure(schema.Listening(full_play_fraction=0.5))
    await seat.player.skip()
    await seat.look()
    await seat.look(30)

    assert await seat.plays() == [("a.ogg", PlayOutcome.FULL)]


@pytest.mark.parametrize(
    ("known", "judged_by"), [(15.0, 15.0), (300.0, 200.0), (None, 200.0), (0.0, 200.0)]
)
async def test_the_shorter_of_both_lengths_counts(
    seat: Seat, known: float | None, judged_by: float
) -> None:
    await add_songs(seat.stores, "a.ogg", seconds=known)
    seat.player.add("a.ogg", "b.ogg")
    await seat.player.play()
    await seat.look()
    await seat.look(judged_by + 0.01)
    await seat.player.skip()  # the player itself may take it for longer
    await seat.look()
    await seat.listening.close()

    play = (await seat.stores.plays.recent(9))[-1]
    assert (play.outcome, play.duration_seconds) == (PlayOutcome.FULL, judged_by)


@pytest.mark.parametrize("leap", [-1e8, 1e8])
async def test_a_wall_clock_that_leaps_does_not_change_the_outcome(seat: Seat, leap: float) -> None:
    seat.player.add("a.ogg", "b.ogg")
    await seat.player.play()
    await seat.look()
    await seat.look(100)

    seat.clock.set_wall(leap)
    await seat.look(100.01)

    (play,) = await seat.stores.plays.recent(1)
    assert play.outcome is PlayOutcome.FULL
    assert play.heard_seconds == pytest.approx(200, abs=0.1)
    assert play.ended_at == pytest.approx(seat.clock.now(), abs=0.1)
