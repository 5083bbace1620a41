"""Event to message: one row per kind."""

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisisd import events
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.events import Announcement
from anagnorisisd.rpc import conversion

PLAY_OUTCOMES = {
    PlayOutcome.FULL: messages.PLAY_VERDICT_FULL,
    PlayOutcome.SKIP: messages.PLAY_VERDICT_SKIP,
    PlayOutcome.NEITHER: messages.PLAY_VERDICT_NEITHER,
}


def heartbeat(sequence: int, epoch: str, at: float) -> messages.WatchEventsResponse:
    """Return the sign that the stream stands."""
    return messages.WatchEventsResponse(
        sequence=sequence,
        epoch=epoch,
        happened=conversion.moment(at),
        heartbeat=messages.Heartbeat(),
    )


def announced(announcement: Announcement, epoch: str) -> messages.WatchEventsResponse:
    """Return an announcement with its event."""
    message = messages.WatchEventsResponse(
        sequence=announcement.sequence,
        epoch=epoch,
        happened=conversion.moment(announcement.at),
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
        case events.PlayJudged(play):
            message.play_judged.CopyFrom(
                messages.PlayJudged(
                    track_id=play.track_id,
                    verdict=PLAY_OUTCOMES[play.outcome],
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
                messages.LibraryChanged(added=added, moved=moved, missing=missing)
            )
        case events.TracksEmbedded(track_ids):
            message.tracks_embedded.CopyFrom(messages.TracksEmbedded(track_ids=track_ids))
        case events.PredictionsUpdated(count):
            message.predictions_updated.CopyFrom(messages.PredictionsUpdated(count=count))
        case events.EvaluatorPromoted(version):
            message.evaluator_promoted.CopyFrom(messages.EvaluatorPromoted(version=version))
        case events.PickingSwitched(enabled):
            message.picking_switched.CopyFrom(messages.PickingSwitched(enabled=enabled))
        case events.PicksHeldBack(reason):
            message.picks_held_back.CopyFrom(
                messages.PicksHeldBack(reason=conversion.printable(reason))
            )
        case events.PlayerConnected(address):
            message.mpd_connected.CopyFrom(
                messages.MpdConnected(address=conversion.printable(address))
            )
        case events.PlayerLost(reason):
            message.mpd_lost.CopyFrom(messages.MpdLost(reason=conversion.printable(reason)))
