"""Event streams: a bounded buffer for each caller, heartbeats, resuming, and the messages."""

import asyncio
import uuid
from collections.abc import AsyncIterator

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisisd import events
from anagnorisisd.clock import Clock
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.errors import InvalidValue
from anagnorisisd.events import Announcement, Events
from anagnorisisd.rpc import conversion, validation

PLAY_OUTCOMES = {
    PlayOutcome.FULL: messages.PLAY_OUTCOME_FULL,
    PlayOutcome.SKIP: messages.PLAY_OUTCOME_SKIP,
    PlayOutcome.NEITHER: messages.PLAY_OUTCOME_NEITHER,
}


def heartbeat(sequence: int, epoch: str, at: float) -> messages.WatchEventsResponse:
    """Return the sign that the stream stands."""
    return messages.WatchEventsResponse(
        sequence=sequence,
        epoch=epoch,
        occurred_at=conversion.moment(at),
        heartbeat=messages.Heartbeat(),
    )


def announced(announcement: Announcement, epoch: str) -> messages.WatchEventsResponse:
    """Return an announcement with its event."""
    message = messages.WatchEventsResponse(
        sequence=announcement.sequence,
        epoch=epoch,
        occurred_at=conversion.moment(announcement.at),
        missed=announcement.missed,
    )
    _fill(message, announcement.event)
    return message


def _fill(message: messages.WatchEventsResponse, event: events.Event) -> None:
    """Say in `message` what happened; a table, one row for each kind of event."""
    match event:
        case events.TrackRated(change):
            message.track_rated.rating.CopyFrom(conversion.rating_message(change.rating))
            if change.previous is not None:
                message.track_rated.previous_rating = change.previous
        case events.PlayRecorded(play):
            message.play_recorded.CopyFrom(
                messages.PlayRecorded(
                    track_id=play.track_id,
                    outcome=PLAY_OUTCOMES[play.outcome],
                    reason=conversion.printable(play.reason),
                    heard_seconds=play.heard_seconds,
                    duration_seconds=play.duration_seconds,
                )
            )
        case events.PickQueued(pick, uri):
            message.pick_queued.CopyFrom(
                messages.PickQueued(
                    track_id=pick.track_id,
                    uri=conversion.printable(uri),
                    explanation=conversion.explanation_message(pick.explanation),
                )
            )
        case events.LibraryChanged(added, moved, missing):
            message.library_changed.CopyFrom(
                messages.LibraryChanged(
                    added_track_ids=added, moved_count=moved, missing_count=missing
                )
            )
        case events.TracksEmbedded(track_ids):
            message.tracks_embedded.CopyFrom(messages.TracksEmbedded(track_ids=track_ids))
        case events.PredictionsUpdated(count):
            message.predictions_updated.CopyFrom(messages.PredictionsUpdated(count=count))
        case events.EvaluatorPromoted(version):
            message.evaluator_promoted.CopyFrom(messages.EvaluatorPromoted(version=version))
        case events.PickingSwitched(enabled):
            message.picking_switched.CopyFrom(messages.PickingSwitched(enabled=enabled))
        case events.NoPicksReasonChanged(reason):
            message.no_picks_reason_changed.CopyFrom(
                messages.NoPicksReasonChanged(reason=conversion.printable(reason))
            )
        case events.PlayerConnected(address):
            message.mpd_connected.CopyFrom(
                messages.MpdConnected(address=conversion.printable(address))
            )
        case events.PlayerDisconnected(reason):
            message.mpd_disconnected.CopyFrom(
                messages.MpdDisconnected(reason=conversion.printable(reason))
            )


DEFAULT_HEARTBEAT_SECONDS = 30
LONGEST_HEARTBEAT_SECONDS = 3600


class EventStream:
    """Streams events to any number of watchers; a slow one holds up nobody but itself."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._epoch = uuid.uuid4().hex
        self._newest = messages.WatchEventsResponse()

    async def follow(
        self, request: messages.WatchEventsRequest
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """Yield a heartbeat at once, then events as they happen, until cancelled.

        Raises:
            InvalidValue: a bad heartbeat, or a sequence that this run has not reached.
        """
        heartbeat_seconds = validation.count(
            "heartbeat_seconds",
            request.heartbeat_seconds,
            DEFAULT_HEARTBEAT_SECONDS,
            LONGEST_HEARTBEAT_SECONDS,
        )
        after = self._after(request)
        last = self._events.sequence if after is None else after
        with self._events.subscribe(after=after) as subscription:
            yield self._heartbeat(last)
            while True:
                try:
                    async with asyncio.timeout(heartbeat_seconds):
                        announcement = await subscription.next()
                except TimeoutError:
                    yield self._heartbeat(last)
                else:
                    last = announcement.sequence
                    yield self._announced(announcement)

    def _announced(self, announcement: Announcement) -> messages.WatchEventsResponse:
        """Return the message for an announcement; those who keep up with it share one."""
        if announcement.missed:
            return announced(announcement, self._epoch)
        if announcement.sequence != self._newest.sequence:
            self._newest = announced(announcement, self._epoch)
        return self._newest

    def _after(self, request: messages.WatchEventsRequest) -> int | None:
        if not request.HasField("after_sequence"):
            return None
        if request.epoch and request.epoch != self._epoch:
            return 0  # The caller saw an earlier run: all of this one is new to it.
        if not 0 <= request.after_sequence <= self._events.sequence:
            raise InvalidValue(
                "after_sequence",
                f"{request.after_sequence} is not between 0 and {self._events.sequence}, "
                "the newest event of this run",
            )
        return request.after_sequence

    def _heartbeat(self, sequence: int) -> messages.WatchEventsResponse:
        return heartbeat(sequence, self._epoch, self._clock.now())
