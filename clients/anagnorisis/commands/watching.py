"""`watch`: following what happens."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from anagnorisis import text
from anagnorisis.connection import connected
from anagnorisis.output import show_json
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub

VERDICTS = {
    messages.PLAY_VERDICT_FULL: "played in full",
    messages.PLAY_VERDICT_SKIP: "skipped",
    messages.PLAY_VERDICT_NEITHER: "left",
}


def watch(arguments: Namespace) -> None:
    """Print what happens until interrupted."""
    request = messages.WatchEventsRequest(after_sequence=arguments.after, epoch=arguments.epoch)
    with connected(arguments) as channel:
        for event in DaemonServiceStub(channel).WatchEvents(request):
            if arguments.json:
                show_json(event, line=True)
            else:
                _show(event)


def _show(event: messages.WatchEventsResponse) -> None:
    if event.missed:
        print(f"({text.counted(event.missed, 'event')} missed)")
    line = _said(event)
    if line:
        print(f"{text.when(event.happened)}  {text.printable(line)}", flush=True)


def _said(event: messages.WatchEventsResponse) -> str:
    # Heartbeats, and kinds that only a newer daemon knows, say nothing.
    kind = event.WhichOneof("event")
    return SAID[kind](getattr(event, kind)) if kind in SAID else ""


def _rated(event: messages.TrackRated) -> str:
    rating = event.rating
    now = text.number(rating.value) if rating.HasField("value") else "no rating"
    before = text.number(event.previous_rating) if event.HasField("previous_rating") else "none"
    return f"rated: {rating.track_id}: {now} (was {before}) by {rating.source}"


def _judged(play: messages.PlayJudged) -> str:
    heard = text.clock(play.heard_seconds)
    return f"{VERDICTS[play.verdict]} after {heard}: {play.track_id} ({play.reason})"


def _changed(change: messages.LibraryChanged) -> str:
    added = text.counted(len(change.added), "track")
    return f"library: {added} added, {change.moved} moved, {change.missing} missing"


SAID: dict[str, Callable[[Any], str]] = {
    "track_rated": _rated,
    "play_judged": _judged,
    "pick_queued": lambda pick: f"picked: {pick.uri}, chance {pick.explanation.probability:.2%}",
    "library_changed": _changed,
    "tracks_embedded": lambda done: f"embedded: {text.counted(len(done.track_ids), 'track')}",
    "predictions_updated": lambda done: f"predicted: {text.counted(done.count, 'rating')}",
    "evaluator_promoted": lambda event: f"evaluator {event.version} is in charge",
    "picking_switched": lambda event: f"picking is {'on' if event.enabled else 'off'}",
    "mpd_connected": lambda event: f"MPD is there: {event.address}",
    "mpd_lost": lambda event: f"MPD is away: {event.reason}",
}
"""What each kind of event is in a line."""
