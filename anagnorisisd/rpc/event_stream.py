"""Event streams with heartbeats and resumption, and the conversion of events to messages."""

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
from anagnorisisd.rpc.steering_conversion import steering_message

PLAY_OUTCOMES = {
    PlayOutcome.FULL: messages.PLAY_OUTCOME_FULL,
    PlayOutcome.SKIP: messages.PLAY_OUTCOME_SKIP,
    PlayOutcome.NEITHER: messages.PLAY_OUTCOME_NEITHER,
}


def heartbeat(sequence: int, epoch: str, at: float) -> messages.WatchEventsResponse:
    """Return a heartbeat, which shows that the stream is alive."""
    return messages.WatchEventsResponse(
        sequence=sequence,
        epoch=epoch,
        occurred_at=conversion.timestamp(at),
        heartbeat=messages.Heartbeat(),
    )


def announced(announcement: Announcement, epoch: str) -> messages.WatchEventsResponse:
    """Convert an announcement and its event."""
    message = messages.WatchEventsResponse(
        sequence=announcement.sequence,
        epoch=epoch,
        occurred_at=conversion.timestamp(announcement.at),
        missed=announcement.missed,
    )
    _set_event(message, announcement.event)
    return message


def _set_event(message: messages.WatchEventsResponse, event: events.Event) -> None:
    """Set the field of `message` for this kind of event."""
    _set_listening_event(message, event)
    _set_daemon_event(message, event)


def _set_listening_event(message: messages.WatchEventsResponse, event: events.Event) -> None:
    """Set the field of an event about ratings, plays and picks."""
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
        case events.UpcomingPicksChanged(song_ids):
            message.upcoming_picks_changed.CopyFrom(
                messages.UpcomingPicksChanged(song_ids=song_ids)
            )
        case events.PickingSwitched(enabled):
            message.picking_switched.CopyFrom(messages.PickingSwitched(enabled=enabled))
        case events.SteeringChanged(steering):
            message.steering_changed.CopyFrom(
                messages.SteeringChanged(steering=steering_message(steering))
            )
        case events.NoPicksReasonChanged(reason):
            message.no_picks_reason_changed.CopyFrom(
                messages.NoPicksReasonChanged(reason=conversion.printable(reason))
            )


def _set_daemon_event(message: messages.WatchEventsResponse, event: events.Event) -> None:
    """Set the field of an event about library, evaluator and MPD."""
    match event:
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
        case events.PlaybackChanged(state, song_id, uri):
            message.playback_changed.CopyFrom(
                messages.PlaybackChanged(
                    state=conversion.PLAYBACK_STATES[state],
                    song_id=song_id,
                    uri=conversion.printable(uri),
                )
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
MAX_HEARTBEAT_SECONDS = 3600


class EventStream:
    """Streams events to any number of subscribers; a slow subscriber does not delay the others."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._epoch = uuid.uuid4().hex
        self._newest_message = messages.WatchEventsResponse()

    async def follow(
        self, request: messages.WatchEventsRequest
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """Yield a heartbeat immediately, then events as they occur, until cancelled.

        Raises:
            InvalidValue: the heartbeat interval is out of range, or `after_sequence` is beyond the
                newest event of this run.
        """
        heartbeat_seconds = validation.count(
            "heartbeat_seconds",
            request.heartbeat_seconds,
            DEFAULT_HEARTBEAT_SECONDS,
            MAX_HEARTBEAT_SECONDS,
        )
        after = self._start_sequence(request)
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
                    yield self._shared_message(announcement)

    def _shared_message(self, announcement: Announcement) -> messages.WatchEventsResponse:
        """Return the message for an announcement; subscribers share the newest message."""
        if announcement.missed:
            return announced(announcement, self._epoch)
        if announcement.sequence != self._newest_message.sequence:
            self._newest_message = announced(announcement, self._epoch)
        return self._newest_message

    def _start_sequence(self, request: messages.WatchEventsRequest) -> int | None:
        if not request.HasField("after_sequence"):
            return None
        if request.epoch and request.epoch != self._epoch:
            return 0  # The caller knows an earlier run, so send all events of this run.
        if not 0 <= request.after_sequence <= self._events.sequence:
            raise InvalidValue(
                "after_sequence",
                f"{request.after_sequence} is not between 0 and {self._events.sequence}, "
                "the newest event of this run",
            )
        return request.after_sequence

    def _heartbeat(self, sequence: int) -> messages.WatchEventsResponse:
        return heartbeat(sequence, self._epoch, self._clock.now())
