"""The play service: judges every playthrough and stores it as a play."""

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
from anagnorisisd.events import Events, PlayRecorded
from anagnorisisd.listening.play_rules import Playthrough, SkipBurst, Thresholds, judge
from anagnorisisd.listening.playback_tracker import PlaybackTracker
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore

log = logging.getLogger(__name__)


class PlayService:
    """Stores the plays of tracks of the library; other songs and streams are ignored.

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
        self._limits = thresholds(config)
        self._tracker = PlaybackTracker(rate)
        self._skip_burst = SkipBurst(self._limits)
        self._unsaved: deque[Playthrough] = deque()
        self._save_lock = asyncio.Lock()

    def reconfigure(self, config: schema.Listening) -> None:
        """Apply changed thresholds to all plays that are not stored yet."""
        self._unsaved += self._skip_burst.release_all()
        self._limits = thresholds(config)
        self._skip_burst = SkipBurst(self._limits)

    async def observe(
        self, state: PlayerState, queue: Sequence[QueueEntry], *, announced: bool = False
    ) -> None:
        """Compare the player's state with the one before; `save` stores the plays that ended.

        `announced` says that the player reported a change, as it does for every seek.
        """
        state = await self._with_shorter_duration(state)
        ended = self._tracker.observe(state, ids_of(queue), announced=announced)
        self._unsaved += self._skip_burst.add(ended) if ended else []
        self._unsaved += self._skip_burst.release(state.taken_at)

    async def _with_shorter_duration(self, state: PlayerState) -> PlayerState:
        """Return the state with the shorter of the durations that the player and library report.

        MPD reports what the header of a file declares, which can be more than there is, and none if
        the header is damaged. Of an mp3 without a header it takes the cover for audio.
        """
        if state.uri is None:
            return state
        with suppress(StoreError):  # then the player's duration is used
            known = await self._library.duration_at(state.uri)
            if known:
                duration_seconds = min(known, state.duration_seconds or known)
                return replace(state, duration_seconds=duration_seconds)
        return state

    def due(self) -> float:
        """Return when, in monotonic seconds, a play held back can be stored; else `inf`."""
        return self._skip_burst.due()

    def disconnected(self) -> None:
        """Note that the player cannot be observed until the next call of `observe`."""
        self._tracker.disconnected()

    async def close(self) -> None:
        """Store the plays that ended; the current one stays open.

        After a restart the daemon finds the current song where it is.
        """
        self._unsaved += self._skip_burst.release_all()
        await self.save()

    async def save(self) -> None:
        """Store the plays that are known.

        Raises:
            StoreError: a play could not be stored; the next call tries again.
        """
        # Shielded: a play whose writing is interrupted would be lost or stored twice.
        await asyncio.shield(self._save())

    async def _save(self) -> None:
        async with self._save_lock:
            while self._unsaved:
                await self._store(self._unsaved[0])
                self._unsaved.popleft()

    async def _store(self, playthrough: Playthrough) -> None:
        track_id = await self._library.track_at(Uri(playthrough.uri))
        if track_id is None:
            return
        outcome, reason = judge(playthrough, self._limits)
        epoch = self._clock.now() - self._clock.monotonic()
        play = Play(
            track_id=track_id,
            started_at=playthrough.started_at + epoch,
            ended_at=playthrough.ended_at + epoch,
            heard_seconds=playthrough.heard_seconds,
            duration_seconds=playthrough.duration_seconds,
            outcome=outcome,
            reason=reason,
        )
        await self._plays.append(play)
        log.debug("%s: %s (%s)", playthrough.uri, outcome, reason)
        self._events.publish(PlayRecorded(play))


def thresholds(config: schema.Listening) -> Thresholds:
    """Return the thresholds of a configuration."""
    return Thresholds(
        full_play_fraction=config.full_play_fraction,
        skip_fraction=config.skip_fraction,
        skip_after_seconds=config.skip_after_seconds,
        browsing_skips=config.browsing_skips,
        browsing_seconds=config.browsing_seconds,
    )
