"""Command `watch`."""

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anagnorisis import text
from anagnorisis.commands.status import status_line
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.output import show_json
from anagnorisis.status_line import StatusLine
from anagnorisis.text import steering_text
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisis.v1.library_pb2 import GetTrackRequest
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.track_pb2 import Target

if TYPE_CHECKING:
    import grpc

Name = Callable[[str], str]
"""Returns the name of a track for its id."""

LINE_EVENTS = frozenset(
    {"playback_changed", "track_rated", "predictions_updated", "play_recorded", "pick_queued",
     "picking_switched", "mpd_connected", "mpd_disconnected"}
)  # fmt: skip
"""The events that may change a status line."""

LINE_HEARTBEAT_SECONDS = 3600
"""As heartbeats change nothing; a lost daemon closes the connection."""

OUTCOMES = {
    messages.PLAY_OUTCOME_FULL: "played in full",
    messages.PLAY_OUTCOME_SKIP: "skipped",
    messages.PLAY_OUTCOME_NEITHER: "left",
}


def watch(arguments: Namespace) -> None:
    """Print events, or the line of `--format` whenever it changes, until interrupted."""
    line = status_line(arguments)
    if line is not None:
        _watch_line(arguments, line)
        return
    request = messages.WatchEventsRequest(after_sequence=arguments.after, epoch=arguments.epoch)
    with connected(arguments) as channel:
        for event in DaemonServiceStub(channel).WatchEvents(request):
            if arguments.json:
                show_json(event, line=True)
            else:
                _show(event, lambda track_id: _name(channel, track_id))


def _watch_line(arguments: Namespace, line: StatusLine) -> None:
    shown = None
    with connected(arguments) as channel:
        stub = DaemonServiceStub(channel)
        request = messages.WatchEventsRequest(heartbeat_seconds=LINE_HEARTBEAT_SECONDS)
        for event in stub.WatchEvents(request):
            if shown is not None and event.WhichOneof("event") not in LINE_EVENTS:
                continue
            answer = stub.GetStatus(messages.GetStatusRequest(), timeout=SECONDS_TO_ANSWER)
            now = line.show(answer)
            if now != shown:
                print(now, flush=True)
                shown = now


def _show(event: messages.WatchEventsResponse, name: Name) -> None:
    if event.missed:
        print(f"({text.counted(event.missed, 'event')} missed)")
    line = _event_line(event, name)
    if line:
        print(f"{text.when(event.occurred_at)}  {text.printable(line)}", flush=True)


def _name(channel: "grpc.Channel", track_id: str) -> str:
    """Return the name of a track, or its id if it is not in the library."""
    import grpc

    request = GetTrackRequest(target=Target(track_id=track_id))
    try:
        answer = LibraryServiceStub(channel).GetTrack(request, timeout=SECONDS_TO_ANSWER)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return track_id
        raise
    return text.name(answer.track)


def _event_line(event: messages.WatchEventsResponse, name: Name) -> str:
    # Heartbeats and the event kinds of a newer daemon print nothing.
    kind = event.WhichOneof("event")
    if kind in TRACK_EVENTS:
        return TRACK_EVENTS[kind](getattr(event, kind), name)
    return OTHER_EVENTS[kind](getattr(event, kind)) if kind in OTHER_EVENTS else ""


def _rating_line(event: messages.TrackRated, name: Name) -> str:
    rating = event.rating
    now = text.number(rating.value) if rating.HasField("value") else "no rating"
    before = text.number(event.previous_rating) if event.HasField("previous_rating") else "none"
    return f"rated: {name(rating.track_id)}: {now} (was {before}) by {rating.source}"


def _play_line(play: messages.PlayRecorded, name: Name) -> str:
    heard = text.clock(play.heard_seconds)
    return f"{OUTCOMES[play.outcome]} after {heard}: {name(play.track_id)} ({play.reason})"


def _pick_line(pick: messages.PickQueued, name: Name) -> str:
    return f"picked: {name(pick.track_id)}, chance {pick.explanation.probability:.2%}"


def _library_line(change: messages.LibraryChanged) -> str:
    added = text.counted(len(change.added_track_ids), "track")
    return f"library: {added} added, {change.moved_count} moved, {change.missing_count} missing"


TRACK_EVENTS: dict[str, Callable[[Any, Name], str]] = {
    "track_rated": _rating_line,
    "play_recorded": _play_line,
    "pick_queued": _pick_line,
}
OTHER_EVENTS: dict[str, Callable[[Any], str]] = {
    "library_changed": _library_line,
    "tracks_embedded": lambda done: f"embedded: {text.counted(len(done.track_ids), 'track')}",
    "predictions_updated": lambda done: f"predicted: {text.counted(done.count, 'rating')}",
    "evaluator_promoted": lambda event: f"evaluator {event.version} was promoted",
    "picking_switched": lambda event: f"picking is {'on' if event.enabled else 'off'}",
    "steering_changed": lambda event: (
        f"mood: {steering_text(event.steering)}" if event.HasField("steering") else "mood off"
    ),
    "no_picks_reason_changed": lambda event: (
        f"no picks are added: {event.reason}" if event.reason else "picks are added again"
    ),
    "mpd_connected": lambda event: f"connected to MPD: {event.address}",
    "mpd_disconnected": lambda event: f"not connected to MPD: {event.reason}",
}
"""Formatters of the event kinds that are not about a single track."""
