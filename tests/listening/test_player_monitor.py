"""The player monitor: reads the state at once after a change, and rarely otherwise."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.player import PlaybackState, PlayerState, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import Events, PlaybackChanged
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.listening.player_monitor import PlayerMonitor
from anagnorisisd.listening.service import PlayService
from anagnorisisd.picks.service import PickService
from anagnorisisd.ratings.message_channel import MessageChannel
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers.sync_loop import StickerSync
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import add_tracks
from tests.support.until import until, until_async

SONGS = {"a.ogg": 300.0, "b.ogg": 300.0}


class Watched(FakePlayer):
    """Remembers when it was looked at."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, SONGS)
        self.looked_at: list[float] = []
        self.answer_takes = 0.0
        self._time = clock

    @property
    def looks(self) -> int:
        """How often that was."""
        return len(self.looked_at)

    async def state(self) -> PlayerState:
        """Return the state at this moment."""
        state = await super().state()
        self.looked_at.append(state.taken_at)
        self._time.jump(self.answer_takes)
        return state


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
async def watched(stores: Stores, clock: FakeClock) -> Watched:
    """A player that plays."""
    await add_tracks(stores, *SONGS)
    player = Watched(clock)
    player.add(*SONGS)
    await player.play()
    return player


@pytest.fixture
def picks(stores: Stores, watched: Watched, events: Events, clock: FakeClock) -> PickService:
    return PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=watched,
        events=events,
        clock=clock,
        config=schema.Picks(ahead=0),
    )


@pytest.fixture
async def player(
    stores: Stores, watched: Watched, picks: PickService, events: Events, clock: FakeClock
) -> AsyncIterator[Watched]:
    """A player that plays, and is attended to."""
    player = watched
    ratings = RatingService(stores.ratings, events, clock)
    attending = PlayerMonitor(
        player=player,
        play_service=PlayService(stores.library, stores.plays, events, clock, schema.Listening()),
        queue_manager=picks.queue_manager,
        message_channel=MessageChannel(
            player, TrackResolver(stores.library, player), ratings, picks.switch, clock
        ),
        sticker_sync=StickerSync(
            player=player,
            library=stores.library,
            store=stores.ratings,
            ratings=ratings,
            stickers=stores.stickers,
            events=events,
            clock=clock,
            config=schema.Ratings(),
        ),
        events=events,
        clock=clock,
    )
    life = asyncio.create_task(attending.run())
    await until(lambda: player.looks > 0)
    yield player
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


async def test_a_playing_song_is_rarely_read(
    player: Watched, clock: FakeClock, stores: Stores
) -> None:
    before = player.looks

    for _ in range(240):
        await clock.advance(1)
        await stores.plays.recent(1)  # whoever was woken had the store before us

    assert 2 <= player.looks - before <= 5


async def test_a_skip_is_stored_without_further_changes(
    player: Watched, clock: FakeClock, stores: Stores
) -> None:
    await clock.advance(30)
    await player.skip()

    # Each look and each write may come late on a busy machine, so time passes until it is stored.
    async def stored() -> bool:
        await clock.advance(1)
        return bool(await stores.plays.recent(1))

    await until_async(stored)
    assert [play.outcome for play in await stores.plays.recent(2)] == [PlayOutcome.SKIP]


async def test_a_new_song_is_read_again_despite_other_changes(
    player: Watched, clock: FakeClock, stores: Stores
) -> None:
    before, changed_at = player.looks, clock.monotonic()
    await player.skip()
    await until(lambda: player.looks > before)
    before = player.looks
    player.add("a.ogg")
    await until(lambda: player.looks > before)

    await clock.advance(1.0)
    await until(lambda: player.looked_at[-1] > changed_at)

    assert player.looked_at[-1] <= changed_at + 1.0


async def test_a_new_song_is_read_again_after_a_slow_reading(
    player: Watched, clock: FakeClock
) -> None:
    before, changed_at = player.looks, clock.monotonic()
    player.answer_takes = 1.0
    await player.skip()
    await until(lambda: player.looks > before)
    player.answer_takes = 0.0

    await until(lambda: player.looked_at[-1] > changed_at)


async def test_a_changed_configuration_applies_at_once(
    player: Watched, picks: PickService, stores: Stores
) -> None:
    await add_tracks(stores, "c.ogg")
    player.database[Uri("c.ogg")] = 300.0

    picks.reconfigure(schema.Picks(ahead=2))

    async def filled() -> bool:
        return len(await player.queue()) == 3

    await until_async(filled)


async def test_a_seek_is_told_and_playing_on_is_not(
    player: Watched, clock: FakeClock, events: Events
) -> None:
    with events.subscribe() as announcements:
        await clock.advance(30)
        player.seek(100.0)
        async for announcement in announcements:
            if isinstance(announcement.event, PlaybackChanged):
                break
        for _ in range(120):
            await clock.advance(1)
        await player.pause()
        async for announcement in announcements:
            if isinstance(announcement.event, PlaybackChanged):
                break

    assert announcement.event == PlaybackChanged(PlaybackState.PAUSE, SongId(1), Uri("a.ogg"))
