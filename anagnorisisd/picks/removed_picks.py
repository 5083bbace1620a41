"""The picks that the listener removed from the queue, which are not picked again for some hours.

It does not matter by which client they were removed. They are kept in memory only: a restart of the
daemon forgets them.
"""

from collections.abc import Iterable, Sequence

from anagnorisisd.clock import Clock
from anagnorisisd.domain.track import TrackId

REMOVED_HOURS = 12.0


class RemovedPicks:
    """Tracks that the listener removed, with the time of that."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._removed_at: dict[TrackId, float] = {}

    def add(self, track_ids: Iterable[TrackId]) -> None:
        """Note that the listener has just removed these tracks."""
        now = self._clock.monotonic()
        self._removed_at.update(dict.fromkeys(track_ids, now))

    def recent(self) -> Sequence[TrackId]:
        """Return the tracks that were removed within the last `REMOVED_HOURS`."""
        since = self._clock.monotonic() - REMOVED_HOURS * 3600
        self._removed_at = {
            track_id: at for track_id, at in self._removed_at.items() if at >= since
        }
        return list(self._removed_at)
