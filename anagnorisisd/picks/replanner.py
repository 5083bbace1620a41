"""Removes picks that no longer fit from the queue, so that the next refill replaces them.

A pick no longer fits when a rating, a skip or a prediction changed so much that a new pick would
most likely outweigh it, or when the listener steered the picks since then.
"""

import math

from anagnorisisd.clock import Clock
from anagnorisisd.config.schema import PickUnit
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.player import Player
from anagnorisisd.events import (
    Announcement,
    EvaluatorPromoted,
    Events,
    PlayRecorded,
    PredictionsUpdated,
    SteeringChanged,
    TrackRated,
)
from anagnorisisd.picks import queue_rules
from anagnorisisd.picks.candidate_cache import CandidateCache
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.queue_rules import QueueView

INTERVAL_SECONDS = 5.0
"""Picks are replaced at most so often."""


class Replanner:
    """Removes owned entries that a new pick would outweigh."""

    def __init__(
        self,
        candidates: CandidateCache,
        player: Player,
        owned: OwnedEntries,
        events: Events,
        clock: Clock,
        *,
        unit: PickUnit,
    ) -> None:
        self._candidates = candidates
        self._player = player
        self._owned = owned
        self._clock = clock
        self._subscription = events.subscribe()
        self._requested = False
        self._replace_all = False
        self._not_before = 0.0
        self._unit = unit

    def request(self, unit: PickUnit) -> None:
        """Ask for the owned entries to be compared with new picks of this unit.

        If they are albums, or were, all are replaced.
        """
        self._requested = True
        self._replace_all |= PickUnit.ALBUM in {unit, self._unit}
        self._unit = unit

    def process_events(self) -> None:
        """Request a comparison if an event since the last call changed weights."""
        arrived = self._subscription.arrived()
        if any(map(_changes_weights, arrived)):
            self._requested = True
            self._owned.explanations.clear()
        for announcement in arrived:
            event = announcement.event
            if isinstance(event, SteeringChanged) and not event.only_end:
                self._requested = self._replace_all = True
                self._not_before = 0.0

    def due(self) -> float:
        """Return when, in monotonic seconds, to call `replan`; `inf` if nothing was requested."""
        return self._not_before if self._requested else math.inf

    async def replan(self, view: QueueView) -> bool:
        """Remove the entries that no longer fit; return false if it is not due.

        Raises:
            PlayerUnavailable: the connection to the player is lost.
        """
        if self.due() > self._clock.monotonic():
            return False
        replace_all, self._replace_all, self._requested = self._replace_all, False, False
        self._not_before = self._clock.monotonic() + INTERVAL_SECONDS
        owned = self._owned.tracks
        entries = queue_rules.replaceable_entries(view.state, view.entries, owned)
        if self._unit is PickUnit.ALBUM:
            if not replace_all:  # An album that was begun, or is queued, is not taken apart.
                return True
            rest = await self._candidates.rest_of_album(view, owned)
            entries = [entry for entry in entries if entry not in rest]
        if entries:
            tracks = {owned[entry.song_id] for entry in entries}
            outweighed = tracks if replace_all else await self._candidates.outweighed(view, tracks)
            for entry in entries:
                if owned[entry.song_id] in outweighed:
                    self._owned.note_removal(entry.song_id)
                    await self._player.remove(entry.song_id)
        return True


def _changes_weights(announcement: Announcement) -> bool:
    if isinstance(announcement.event, PlayRecorded):
        return announcement.event.play.outcome is PlayOutcome.SKIP
    return bool(announcement.missed) or isinstance(
        announcement.event, TrackRated | EvaluatorPromoted | PredictionsUpdated
    )
