"""Listening: every stay of a track in the player becomes one judged play."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.player import PlayerState, QueueEntry, ids_of
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import StoreError
from anagnorisisd.events import Events, PlayJudged
from anagnorisisd.listening.play_rules import Playthrough, Thresholds, judge
from anagnorisisd.listening.playback_tracker import PlaybackTracker
from anagnorisisd.listening.skip_burst import SkipBurst
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore

log = logging.getLogger(__name__)


class PlayService:
    """Judges what was heard. Songs outside the library, streams included, are none of our business.

    `rate` says how many seconds of music the player plays in one second; 1 outside of tests.
    """

    def __init__(
        self,
        library: LibraryStore,
        plays: PlayStore,
        events: Events,
        clock: Clock,
        config: schema.Listening,
        *,
        rate: float = 1.0,
    ) -> None:
        self._library = library
        self._plays = plays
        self._events = events
        self._clock = clock
        self._limits = _thresholds(config)
        self._stays = PlaybackTracker(rate)
        self._browsing = SkipBurst(self._limits)
        self._unsaved: deque[Playthrough] = deque()
        self._draining = asyncio.Lock()

    def reconfigure(self, config: schema.Listening) -> None:
        """Judge by other limits from now on, what was held back included."""
        self._unsaved += self._browsing.settle()
        self._limits = _thresholds(config)
        self._browsing = SkipBurst(self._limits)

    async def observe(
        self, state: PlayerState, queue: Sequence[QueueEntry], *, announced: bool = False
    ) -> None:
        """Compare the player with what was seen before; `save` stores the plays that ended.

        `announced` says that the player told of a change, as it does of every seek.
        """
        state = await self._measured(state)
        ended = self._stays.observe(state, ids_of(queue), announced=announced)
        self._unsaved += self._browsing.take(ended) if ended else []
        self._unsaved += self._browsing.until(state.taken_at)

    async def _measured(self, state: PlayerState) -> PlayerState:
        """Return the state with the shorter of the lengths that player and library know.

        Of an mp3 without a Xing header MPD takes the cover for music, and finds it much too long.
        """
        if state.uri is None or state.duration_seconds is None:
            return state
        with suppress(StoreError):  # Then the player's own word has to do.
            known = await self._library.duration_at(state.uri)
            if known:
                return replace(state, duration_seconds=min(known, state.duration_seconds))
        return state

    def due(self) -> float:
        """Return when, by the monotonic clock, something held back can be stored; else `inf`."""
        return self._browsing.due()

    def lost(self) -> None:
        """Note that the player cannot be seen any more."""
        self._stays.lost()

    async def close(self) -> None:
        """Store the plays that ended but were held back; the one under way is left open.

        A daemon that is started again takes up the song under way where it finds it.
        """
        self._unsaved += self._browsing.settle()
        await self.save()

    async def save(self) -> None:
        """Store the plays that were judged.

        Raises:
            StoreError: a play could not be stored; it is tried again the next time.
        """
        # Shielded, so that a play whose writing was interrupted is neither lost nor doubled.
        await asyncio.shield(self._drain())

    async def _drain(self) -> None:
        async with self._draining:
            while self._unsaved:
                await self._store(self._unsaved[0])
                self._unsaved.popleft()

    async def _store(self, stay: Playthrough) -> None:
        track_id = await self._library.track_at(Uri(stay.uri))
        if track_id is None:
            return
        word, reason = judge(stay, self._limits)
        age = self._clock.now() - self._clock.monotonic()
        play = Play(
            track_id=track_id,
            started_at=stay.started_at + age,
            ended_at=stay.ended_at + age,
            heard_seconds=stay.heard_seconds,
            duration_seconds=stay.duration_seconds,
            outcome=word,
            reason=reason,
        )
        await self._plays.append(play)
        log.debug("%s: %s, %s", stay.uri, word, reason)
        self._events.publish(PlayJudged(play))


def _thresholds(config: schema.Listening) -> Thresholds:
    return Thresholds(
        full_play_fraction=config.full_play_fraction,
        skip_fraction=config.skip_fraction,
        skip_after_seconds=config.skip_after_seconds,
        browsing_skips=config.browsing_skips,
        browsing_seconds=config.browsing_seconds,
    )
