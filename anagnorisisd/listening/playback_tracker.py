"""Tracks playback: when a song started, how long it was heard, and when and how it ended.

States are compared and events are not counted, so that the same state twice changes nothing. The
*expected* position of a song is its last known one plus the time that passed while it played:

| observed | meaning |
|---|---|
| another song, the old one expected at its end | it ended by itself |
| the same song back near 0, expected at its end | it ended by itself and is repeated |
| the same song, ahead | a seek: the time in between was heard, what was jumped over was not |
| the same song, further back, or announced and behind | a seek back: all the time was heard |
| the same song, behind, unannounced | playback stalled for a while |
| another song, the old one no longer in the queue | it was removed, unless by consume mode |
| another song and a new error | a playback error |
| another song | the listener left the old one |
| stop with a current song, not expected at its end | the listener stopped playback |
| stop without a current song | the end of the queue, by itself or by `next`, or a cleared queue |
| after a reconnect the same song, further on | the same playthrough |

With crossfade or MixRamp, MPD changes to the next song before the old one has faded out. The change
is dated by the new song's position less the crossfade, which is the end of the old song.
"""

from collections.abc import Collection
from dataclasses import dataclass

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.listening.play_rules import Ending, Playthrough

END_TOLERANCE_SECONDS = 0.25
"""A song that changes at most so far from its expected end has ended by itself.

Natural ends were measured within 0.10 s; `next` half a second before the end is not one.
"""

MAX_UNCERTAINTY_SECONDS = 3.0
"""At most so much of the duration of a request counts as uncertainty about the time of its answer.

On a busy computer MPD's answer is stamped late, mostly by less than a second. Without a limit, a
song left long before its end could be taken for one that was played to the end.
"""

SEEK_SECONDS = 1.0
"""So far behind its expected position a song must be for an announced change to be a seek back.

MPD announces a seek, but not a stall by a slow disk or network.
"""

REWIND_SECONDS = 2.0
"""A restarted player may resume a song so far before its last observed position."""


@dataclass(slots=True)
class _CurrentSong:
    """The song in the player; `last` is its last observed state."""

    song_id: SongId
    uri: Uri
    started_at: float
    heard_seconds: float
    unobserved_seconds: float
    duration_seconds: float | None
    last: PlayerState


class PlaybackTracker:
    """Compares the player's states in order of time, and returns the playthroughs that ended.

    `rate` says how many seconds of music the player plays in one second; 1 outside of tests.
    """

    def __init__(self, rate: float = 1.0) -> None:
        self._rate = rate
        self._current: _CurrentSong | None = None
        self._was_disconnected = False

    def observe(
        self, state: PlayerState, queue: Collection[SongId], *, announced: bool = False
    ) -> Playthrough | None:
        """Return the playthrough that ended since the state before, if one did.

        `queue` holds the ids of all entries at the time of `state`. `announced` says that the
        player reported a change.
        """
        disconnected, self._was_disconnected = self._was_disconnected, False
        if self._current is None:
            self._start(state, 0.0)
            return None
        if self._continues(self._current, state, disconnected):
            self._update(self._current, state, announced)
            return None
        since = self._since_change(self._current.last, state)
        playthrough = self._finish(
            self._current,
            state,
            since,
            self._classify_ending(self._current, state, queue, disconnected),
        )
        self._start(state, since)
        return playthrough

    def disconnected(self) -> None:
        """Note that the player cannot be observed until the next call of `observe`."""
        self._was_disconnected = True

    def _start(self, state: PlayerState, since: float) -> None:
        self._current = None
        if state.song_id is None or state.uri is None or state.playback_state is PlaybackState.STOP:
            return
        elapsed = state.elapsed_seconds or 0.0
        self._current = _CurrentSong(
            song_id=state.song_id,
            uri=state.uri,
            started_at=state.taken_at - since / self._rate,
            heard_seconds=since,
            unobserved_seconds=max(0.0, elapsed - since),
            duration_seconds=state.duration_seconds,
            last=state,
        )

    def _continues(self, song: _CurrentSong, state: PlayerState, disconnected: bool) -> bool:
        if state.playback_state is PlaybackState.STOP:
            return False
        moved = (state.elapsed_seconds or 0.0) - (song.last.elapsed_seconds or 0.0)
        if disconnected:
            # A restarted player gives new ids to its entries.
            return state.uri == song.uri and moved >= -REWIND_SECONDS
        if state.song_id != song.song_id:
            return False
        return moved >= 0 or not self._ended_by_itself(song, state)

    def _update(self, song: _CurrentSong, state: PlayerState, announced: bool) -> None:
        song.heard_seconds += self._heard(song.last, state, announced)
        song.song_id = state.song_id if state.song_id is not None else song.song_id
        song.duration_seconds = state.duration_seconds or song.duration_seconds
        song.last = state

    def _heard(self, last: PlayerState, state: PlayerState, announced: bool) -> float:
        """Return how much was heard of a song that continues."""
        if last.playback_state is not PlaybackState.PLAY:
            return 0.0
        passed = self._passed(last, state)
        moved = (state.elapsed_seconds or 0.0) - (last.elapsed_seconds or 0.0)
        lag = SEEK_SECONDS * max(1.0, self._rate) + self._uncertainty(state)
        behind = announced and passed - moved > lag
        seeked_back = moved < 0 or (behind and state.playback_state is PlaybackState.PLAY)
        return passed if seeked_back else min(passed, moved)

    def _passed(self, last: PlayerState, state: PlayerState) -> float:
        """Return how much music can be played between two states."""
        return max(0.0, state.taken_at - last.taken_at) * self._rate

    def _uncertainty(self, state: PlayerState) -> float:
        """Return how much music may have been played between a state and its time stamp."""
        return min(state.span_seconds, MAX_UNCERTAINTY_SECONDS) * self._rate

    def _since_change(self, last: PlayerState, state: PlayerState) -> float:
        """Return how much of the new song was played by the time of `state`."""
        if state.playback_state is PlaybackState.STOP or state.elapsed_seconds is None:
            return 0.0
        # With crossfade both songs overlap: the change is at the end of the old one.
        since = max(0.0, state.elapsed_seconds - last.crossfade_seconds)
        return since if since <= self._passed(last, state) + self._uncertainty(last) else 0.0

    def _ended_by_itself(
        self, song: _CurrentSong, state: PlayerState, *, strict: bool = False
    ) -> bool:
        if song.duration_seconds is None or song.last.playback_state is not PlaybackState.PLAY:
            return False
        played = self._passed(song.last, state) - self._since_change(song.last, state)
        left = song.duration_seconds - (song.last.elapsed_seconds or 0.0) - played
        tolerance = END_TOLERANCE_SECONDS * max(1.0, self._rate)
        # If the last state was stamped late, the end seems further away; if this one, nearer.
        natural = left <= tolerance + self._uncertainty(song.last)
        return natural and (not strict or left >= -tolerance - self._uncertainty(state))

    def _classify_ending(
        self, song: _CurrentSong, state: PlayerState, queue: Collection[SongId], disconnected: bool
    ) -> Ending:
        stopped = state.playback_state is PlaybackState.STOP and state.song_id is not None
        removed = song.song_id not in queue and not _was_consumed(song.last, state)
        cases = (
            # After a disconnection, a natural end must fit the time from both sides.
            (self._ended_by_itself(song, state, strict=disconnected), Ending.NATURAL),
            (disconnected, Ending.DISCONNECTED),
            (stopped, Ending.STOPPED),
            (removed, Ending.REMOVED),
            (state.error is not None and state.error != song.last.error, Ending.ERROR),
        )
        return next((ending for holds, ending in cases if holds), Ending.LEFT)

    def _finish(
        self, song: _CurrentSong, state: PlayerState, since: float, ending: Ending
    ) -> Playthrough:
        heard, ended_at = song.heard_seconds, song.last.taken_at
        if ending is not Ending.DISCONNECTED:
            heard += self._heard_until_end(song, state, since)
            ended_at = state.taken_at - since / self._rate
        return Playthrough(
            uri=song.uri,
            started_at=song.started_at,
            ended_at=ended_at,
            heard_seconds=heard,
            unobserved_seconds=song.unobserved_seconds,
            duration_seconds=song.duration_seconds,
            ending=ending,
        )

    def _heard_until_end(self, song: _CurrentSong, state: PlayerState, since: float) -> float:
        """Return how much was heard between the last observed state of a song and its end."""
        if song.last.playback_state is not PlaybackState.PLAY:
            return 0.0
        # Negative if the change was noticed long after it and the last state was stamped late.
        played = max(0.0, self._passed(song.last, state) - since)
        if song.duration_seconds is None:
            return played
        left = song.duration_seconds - (song.last.elapsed_seconds or 0.0)
        return min(played, max(0.0, left))


def _was_consumed(last: PlayerState, state: PlayerState) -> bool:
    """Return whether consume mode explains that the last song is no longer in the queue."""
    return last.consume is not Mode.OFF and state.queue_length >= last.queue_length - 1
