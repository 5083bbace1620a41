"""Event to message: one row per kind."""

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisisd import events
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.events import Announcement
from anagnorisisd.rpc import conversion

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
