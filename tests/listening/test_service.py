"""The play service: which plays are stored, with a fake player and a fake clock."""

from dataclasses import dataclass

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.errors import StoreError
from anagnorisisd.events import Events, PlayRecorded
from anagnorisisd.listening.service import PlayService
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import EPOCH, scanned, track_id

SONGS = {"a.ogg": 200.0, "b.ogg": 200.0, "c.ogg": 200.0, "stranger.ogg": 200.0}


@dataclass
class Setup:
    """A play service and the player that it observes."""

    clock: FakeClock
    player: FakePlayer
    listening: PlayService
    stores: Stores

    async def observe(self, after_seconds: float = 0.0) -> None:
        """Let time pass and observe the player."""
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
    await stores.library.store_files(
        [scanned(uri, duration_seconds=seconds) for uri in uris], EPOCH
    )


@pytest.fixture
async def setup(stores: Stores, clock: FakeClock) -> Setup:
    await add_songs(stores, "a.ogg", "b.ogg", "c.ogg")
    player = FakePlayer(clock, SONGS)
    listening = PlayService(stores.library, stores.plays, Events(clock), clock, schema.Listening())
    return Setup(clock, player, listening, stores)


async def test_plays_are_stored_with_their_times(setup: Setup) -> None:
    setup.player.add("a.ogg", "b.ogg")
    began = setup.clock.now()
    await setup.player.play()
    await setup.observe()
    await setup.observe(200.01)

    (play,) = await setup.stores.plays.recent(1)

    assert (play.track_id, play.outcome) == (track_id("a.ogg"), PlayOutcome.FULL)
    assert play.started_at == pytest.approx(began)
    assert play.ended_at == pytest.approx(began + 200, abs=0.1)
    assert play.heard_seconds == pytest.approx(200, abs=0.1)
    assert play.duration_seconds == 200


async def test_a_skip_is_held_back(setup: Setup) -> None:
    setup.player.add("a.ogg", "b.ogg")
    await setup.player.play()
    await setup.observe()
    await setup.observe(30)
    await setup.player.skip()
    await setup.observe()
    assert await setup.plays() == []

    await setup.observe(21)

    assert await setup.plays() == [("a.ogg", PlayOutcome.SKIP)]


async def test_closing_stores_a_skip_held_back(setup: Setup) -> None:
    setup.player.add("a.ogg", "b.ogg")
    await setup.player.play()
    await setup.observe()
    await setup.observe(30)
    await setup.player.skip()
    await setup.observe()

    await setup.listening.close()

    assert await setup.plays() == [("a.ogg", PlayOutcome.SKIP)]


async def test_songs_outside_the_library_are_ignored(setup: Setup) -> None:
    setup.player.add("stranger.ogg", "a.ogg")
    await setup.player.play()
    await setup.observe()
    await setup.observe(200.01)
    await setup.observe(200)

    assert await setup.plays() == [("a.ogg", PlayOutcome.FULL)]


async def test_a_lost_connection_neither_doubles_nor_loses_a_play(setup: Setup) -> None:
    setup.player.add("a.ogg", "b.ogg")
    await setup.player.play()
    for _ in range(5):
        await setup.observe(20)
        setup.listening.disconnected()
    await setup.observe(100.1)
    await setup.observe(1)

    assert await setup.plays() == [("a.ogg", PlayOutcome.FULL)]


class FullDisk(PlayStore):
    """Plays on a disk that is full for a while."""

    failures = 2

    async def append(self, play: Play) -> None:
        """Store a play, if there is room again."""
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        await super().append(play)


async def test_a_full_disk_delays_a_play(stores: Stores, clock: FakeClock) -> None:
    await add_songs(stores, "a.ogg", "b.ogg")
    player, events = FakePlayer(clock, SONGS), Events(clock)
    plays = FullDisk(stores.database)
    listening = PlayService(stores.library, plays, events, clock, schema.Listening())
    setup = Setup(clock, player, listening, stores)
    player.add("a.ogg", "b.ogg")
    await player.play()
    await setup.observe()

    for seconds in (200.01, 1):
        with pytest.raises(StoreError):
            await setup.observe(seconds)
    with events.subscribe() as announcements:
        await setup.observe(1)
        await setup.observe(1)

        told = [announcement.event for announcement in announcements.arrived()]

    assert await setup.plays() == [("a.ogg", PlayOutcome.FULL)]
    assert [type(event) for event in told] == [PlayRecorded]


async def test_reconfiguring_thresholds(setup: Setup) -> None:
    setup.player.add("a.ogg", "b.ogg", "c.ogg")
    await setup.player.play()
    await setup.observe()
    await setup.observe(110)

    setup.listening.reconfigure(schema.Listening(full_play_fraction=0.5))
    await setup.player.skip()
    await setup.observe()
    await setup.observe(30)

    assert await setup.plays() == [("a.ogg", PlayOutcome.FULL)]


@pytest.mark.parametrize(
    ("known", "judged_by"), [(15.0, 15.0), (300.0, 200.0), (None, 200.0), (0.0, 200.0)]
)
async def test_the_shorter_duration_counts(
    setup: Setup, known: float | None, judged_by: float
) -> None:
    await add_songs(setup.stores, "a.ogg", seconds=known)
    setup.player.add("a.ogg", "b.ogg")
    await setup.player.play()
    await setup.observe()
    await setup.observe(judged_by + 0.01)
    await setup.player.skip()  # the player itself may take it for longer
    await setup.observe()
    await setup.listening.close()

    play = (await setup.stores.plays.recent(9))[-1]
    assert (play.outcome, play.duration_seconds) == (PlayOutcome.FULL, judged_by)


@pytest.mark.parametrize("leap", [-1e8, 1e8])
async def test_a_wall_clock_change_does_not_change_the_outcome(setup: Setup, leap: float) -> None:
    setup.player.add("a.ogg", "b.ogg")
    await setup.player.play()
    await setup.observe()
    await setup.observe(100)

    setup.clock.set_wall(leap)
    await setup.observe(100.01)

    (play,) = await setup.stores.plays.recent(1)
    assert play.outcome is PlayOutcome.FULL
    assert play.heard_seconds == pytest.approx(200, abs=0.1)
    assert play.ended_at == pytest.approx(setup.clock.now(), abs=0.1)
