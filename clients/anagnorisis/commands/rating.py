"""Commands `rate`, `clear`, `undo`, `ratings` and `plays`."""

from argparse import Namespace

from anagnorisis import requests, text
from anagnorisis.connection import connected
from anagnorisis.output import show_json, show_table
from anagnorisis.requests import collect_pages, target
from anagnorisis.v1 import history_pb2
from anagnorisis.v1 import rating_pb2 as messages
from anagnorisis.v1.daemon_pb2 import PlayOutcome
from anagnorisis.v1.history_pb2_grpc import HistoryServiceStub
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub

SOURCE = "cli"


def rate(arguments: Namespace) -> None:
    with connected(arguments) as channel:
        answer = requests.rate(channel, target(arguments.uri), arguments.value, SOURCE)
    _show(answer, arguments.json)


def clear(arguments: Namespace) -> None:
    with connected(arguments) as channel:
        answer = requests.clear(channel, target(arguments.uri), SOURCE)
    _show(answer, arguments.json)


def undo(arguments: Namespace) -> None:
    """Undo the last rating change."""
    with connected(arguments) as channel:
        answer = requests.undo(channel, SOURCE)
    _show(answer, arguments.json)


def history(arguments: Namespace) -> None:
    """List the rating history."""
    track = target(arguments.uri) if arguments.uri else None
    with connected(arguments) as channel:
        entries = collect_pages(
            RatingServiceStub(channel).ListRatings,
            messages.ListRatingsRequest(target=track),
            "ratings",
            arguments.limit,
        )
    if arguments.json:
        for entry in entries:
            show_json(entry, line=True)
    else:
        show_table(("WHEN", "RATING", "SOURCE", "TRACK"), [_row(entry) for entry in entries])


def plays(arguments: Namespace) -> None:
    """List plays and skips, newest first."""
    with connected(arguments) as channel:
        entries = collect_pages(
            HistoryServiceStub(channel).ListPlays,
            history_pb2.ListPlaysRequest(),
            "plays",
            arguments.limit,
        )
    if arguments.json:
        for entry in entries:
            show_json(entry, line=True)
    else:
        show_table(("ENDED", "OUTCOME", "HEARD", "TRACK"), [_play_row(each) for each in entries])


def _play_row(entry: history_pb2.HistoryEntry) -> tuple[str, str, str, str]:
    outcome = PlayOutcome.Name(entry.play.outcome).removeprefix("PLAY_OUTCOME_").lower()
    track = text.printable(entry.uri) or entry.track_id
    return text.when(entry.timestamp), outcome, text.clock(entry.play.heard_seconds), track


def _show(answer: requests.Answer, as_json: bool) -> None:
    if as_json:
        show_json(answer)
    else:
        print(f"{text.name(answer.change.track)}: {text.changed(answer.change)}")


def _row(entry: messages.Rating) -> tuple[str, str, str, str]:
    if entry.plays_only:
        value = "plays moved"
    else:
        value = text.number(entry.value) if entry.HasField("value") else "cleared"
    track = text.printable(entry.uri) or entry.track_id
    return text.when(entry.rated_at), value, text.printable(entry.source), track
