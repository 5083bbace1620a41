"""Following the player: when a song came, how long it was heard, when and how it ended.

States are compared, events are not counted, so that seeing the same state twice changes nothing.
A song is *expected* to be at its last known place plus the time that passed while it played:

| seen | meaning |
|---|---|
| another song, the old one expected at its end | it ended by itself |
| the same song back near 0, expected at its end | it ended by itself and is repeated |
| the same song further on | a seek: the time in between was heard, what was jumped over not |
| the same song further back, or announced and behind | a seek back: the time in between was heard |
| the same song behind, unannounced | the music stood still for a while |
| another song, the old one no longer in the queue | it was removed, unless consume mode did it |
| another song and a new error | it could not be played on |
| another song | the listener left it |
| stop with a current song, not expected at its end | the listener stopped |
| stop without one | the queue's end, by itself or by `next`; or the queue was cleared |
| after a broken link the same song, further on | nothing happened to it |
"""

from collections.abc import Collection
from dataclasses import dataclass

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.listening.play_rules import Ending, Playthrough

END_TOLERANCE_SECONDS = 0.25
"""How far from its end a song may be expected when it ends by itself.

Natural ends were measured within 0.10 s; `next` half a second before the end is none.
"""

LONGEST_SPAN_SECONDS = 3.0
"""How much of the time that a reading took may count as not knowing when it was true.

A busy computer stamps MPD's answer late, mostly by less than a second. An allowance without a bound
would take a song left long before its end for one that was played to it.
"""

SEEK_SECONDS = 1.0
"""How far behind a song must be for an announced change to be a seek back.

The player announces a seek, but not that its disk or its network was slow.
"""

REWIND_SECONDS = 2.0
"""How far a restarted player may fall back behind the place last seen."""


@dataclass(slots=True)
class _Open:
    """The song in the player: `last` is the state in which it was seen last."""

    song_id: SongId
    uri: Uri
    started_at: float
    heard_seconds: float
    unseen_seconds: float
    duration_seconds: float | None
    last: PlayerState


class PlaybackTracker:
    """Is shown the player's states in order of time and returns stays that ended.

    `rate` says how many seconds of music the player plays in one second of its clock; it is 1
    outside of tests.
    """

    def __init__(self, rate: float = 1.0) -> None:
        self._rate = rate
        self._open: _Open | None = None
        self._blind = False

    def observe(
        self, state: PlayerState, queue: Collection[SongId], *, announced: bool = False
    ) -> Playthrough | None:
        """Return the stay that has ended since the state before, if one has.

        `queue` holds the ids of all entries at the time of `state`; `announced` says that the
        player told of a change.
        """
        blind, self._blind = self._blind, False
        if self._open is None:
            self._begin(state, 0.0)
            return None
        if self._goes_on(self._open, state, blind):
            self._follow(self._open, state, announced)
            return None
        since = self._since_change(self._open.last, state)
        stay = self._end(self._open, state, since, self._ending(self._open, state, queue, blind))
        self._begin(state, since)
        return stay

    def lost(self) -> None:
        """Note that the player cannot be seen for a while."""
        self._blind = True

    def _begin(self, state: PlayerState, since: float) -> None:
        self._open = None
        if state.song_id is None or state.uri is None or state.playback_state is PlaybackState.STOP:
            return
        elapsed = state.elapsed_seconds or 0.0
        self._open = _Open(
            song_id=state.song_id,
            uri=state.uri,
            started_at=state.taken_at - since / self._rate,
            heard_seconds=since,
            unseen_seconds=max(0.0, elapsed - since),
            duration_seconds=state.duration_seconds,
            last=state,
        )

    def _goes_on(self, song: _Open, state: PlayerState, blind: bool) -> bool:
        if state.playback_state is PlaybackState.STOP:
            return False
        moved = (state.elapsed_seconds or 0.0) - (song.last.elapsed_seconds or 0.0)
        if blind:
            # A restarted player numbers its entries anew.
            return state.uri == song.uri and moved >= -REWIND_SECONDS
        if state.song_id != song.song_id:
            return False
        return moved >= 0 or not self._ended_by_itself(song, state)

    def _follow(self, song: _Open, state: PlayerState, announced: bool) -> None:
        song.heard_seconds += self._heard(song.last, state, announced)
        song.song_id = state.song_id if state.song_id is not None else song.song_id
        song.duration_seconds = state.duration_seconds or song.duration_seconds
        song.last = state

    def _heard(self, last: PlayerState, state: PlayerState, announced: bool) -> float:
        """Return how much was heard of a song that goes on."""
        if last.playback_state is not PlaybackState.PLAY:
            return 0.0
        passed = self._passed(last, state)
        moved = (state.elapsed_seconds or 0.0) - (last.elapsed_seconds or 0.0)
        lag = SEEK_SECONDS * max(1.0, self._rate) + self._span(state)
        behind = announced and passed - moved > lag
        sought_back = moved < 0 or (behind and state.playback_state is PlaybackState.PLAY)
        return passed if sought_back else min(passed, moved)

    def _passed(self, last: PlayerState, state: PlayerState) -> float:
        """Return how much music fits between two states."""
        return max(0.0, state.taken_at - last.taken_at) * self._rate

    def _span(self, state: PlayerState) -> float:
        """Return how much music may have been played between a state and its stamp."""
        return min(state.span_seconds, LONGEST_SPAN_SECONDS) * self._rate

    def _since_change(self, last: PlayerState, state: PlayerState) -> float:
        """Return for how much music the new song has been playing at the time of `state`."""
        if state.playback_state is PlaybackState.STOP or state.elapsed_seconds is None:
            return 0.0
        # When a song was faded in, the change counts from the end of the old one.
        since = max(0.0, state.elapsed_seconds - last.crossfade_seconds)
        return since if since <= self._passed(last, state) + self._span(last) else 0.0

    def _ended_by_itself(self, song: _Open, state: PlayerState, *, strict: bool = False) -> bool:
        if song.duration_seconds is None or song.last.playback_state is not PlaybackState.PLAY:
            return False
        played = self._passed(song.last, state) - self._since_change(song.last, state)
        left = song.duration_seconds - (song.last.elapsed_seconds or 0.0) - played
        tolerance = END_TOLERANCE_SECONDS * max(1.0, self._rate)
        # A late stamp of the last sight makes the end seem further off, one of this state nearer.
        natural = left <= tolerance + self._span(song.last)
        return natural and (not strict or left >= -tolerance - self._span(state))

    def _ending(
        self, song: _Open, state: PlayerState, queue: Collection[SongId], blind: bool
    ) -> Ending:
        stopped = state.playback_state is PlaybackState.STOP and state.song_id is not None
        gone = song.song_id not in queue and not _consumed(song.last, state)
        cases = (
            # Unseen changes are believed to be natural only if the time fits from both sides.
            (self._ended_by_itself(song, state, strict=blind), Ending.NATURAL),
            (blind, Ending.AWAY),
            (stopped, Ending.STOPPED),
            (gone, Ending.REMOVED),
            (state.error is not None and state.error != song.last.error, Ending.BROKEN),
        )
        return next((ending for holds, ending in cases if holds), Ending.LEFT)

    def _end(self, song: _Open, state: PlayerState, since: float, ending: Ending) -> Playthrough:
        heard, ended_at = song.heard_seconds, song.last.taken_at
        if ending is not Ending.AWAY:
            heard += self._heard_at_last(song, state, since)
            ended_at = state.taken_at - since / self._rate
        return Playthrough(
            uri=song.uri,
            started_at=song.started_at,
            ended_at=ended_at,
            heard_seconds=heard,
            unseen_seconds=song.unseen_seconds,
            duration_seconds=song.duration_seconds,
            ending=ending,
        )

    def _heard_at_last(self, song: _Open, state: PlayerState, since: float) -> float:
        """Return what was heard between the last sight of a song and its end."""
        if song.last.playback_state is not PlaybackState.PLAY:
            return 0.0
        # Less than nothing when a change was noticed long after it, and the last stamp was late.
        played = max(0.0, self._passed(song.last, state) - since)
        if song.duration_seconds is None:
            return played
        left = song.duration_seconds - (song.last.elapsed_seconds or 0.0)
        return min(played, max(0.0, left))


def _consumed(last: PlayerState, state: PlayerState) -> bool:
    """Whether consume mode explains that the last song is no longer in the queue."""
    return last.consume is not Mode.OFF and state.queue_length >= last.queue_length - 1
