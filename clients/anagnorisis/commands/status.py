"""Command `status`, and the command without a command: the current song and the next picks."""

from argparse import Namespace
from collections.abc import Iterator

from anagnorisis import text
from anagnorisis.commands.evaluator import quality
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.errors import USAGE, Failed
from anagnorisis.output import show_json
from anagnorisis.status_line import InvalidFormat, StatusLine
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub

STATES = {
    messages.PLAYBACK_STATE_PLAYING: "playing",
    messages.PLAYBACK_STATE_PAUSED: "paused",
}


def status(arguments: Namespace) -> None:
    """Show the daemon's status, or the line of `--format`."""
    line = status_line(arguments)
    answer = _get_status(arguments)
    if line is not None:
        print(line.show(answer))
        return
    if arguments.json:
        show_json(answer)
        return
    for label, value in _status_rows(answer):
        print(f"{label:<10} {text.printable(value)}")


def status_line(arguments: Namespace) -> StatusLine | None:
    """Return the line that the options `--format` and `--escape` describe, if they do."""
    if arguments.format is None:
        return None
    if arguments.json:
        raise Failed("--format and --json exclude one another", USAGE)
    try:
        return StatusLine(arguments.format, arguments.escape)
    except InvalidFormat as error:
        raise Failed(str(error), USAGE) from error


def playing(arguments: Namespace) -> None:
    """Show the current song, its rating and the next picks."""
    answer = _get_status(arguments)
    if arguments.json:
        show_json(answer)
        return
    print(_current_song(answer))
    for number, track in enumerate(answer.upcoming_picks, start=1):
        print(f"  next {number}: {text.name(track)}, {text.rating(track)}")
    if not answer.picking_enabled:
        print("  picking is off; switch it on with `anagnorisis picks on`")
    if answer.HasField("steering"):
        print(f"  mood: {text.steering_text(answer.steering)}")
    elif answer.mpd.connected and answer.no_picks_reason:
        print(f"  no picks are added: {text.printable(answer.no_picks_reason)}")


def _get_status(arguments: Namespace) -> messages.GetStatusResponse:
    with connected(arguments) as channel:
        return DaemonServiceStub(channel).GetStatus(
            messages.GetStatusRequest(), timeout=SECONDS_TO_ANSWER
        )


def _current_song(answer: messages.GetStatusResponse) -> str:
    playback = answer.playback
    if not answer.mpd.connected:
        return f"not connected to MPD: {text.printable(answer.mpd.error)}"
    if playback.state not in STATES:
        return "nothing is playing"
    if not playback.HasField("track"):
        return f"{STATES[playback.state]}: {text.printable(playback.uri)}, not in the library"
    track = f"{text.name(playback.track)}, {text.rating(playback.track)}"
    return f"{STATES[playback.state]}: {track}{_position(playback)}"


def _position(playback: messages.Playback) -> str:
    if not (playback.HasField("elapsed_seconds") and playback.HasField("duration_seconds")):
        return ""
    return f" ({text.clock(playback.elapsed_seconds)}/{text.clock(playback.duration_seconds)})"


def _status_rows(answer: messages.GetStatusResponse) -> Iterator[tuple[str, str]]:
    yield "daemon", answer.version
    yield "mpd", _mpd(answer.mpd)
    for feature in answer.mpd.missing_features:
        yield "", feature
    if answer.mpd.connected and answer.mpd.unlisted_tracks:
        yield "", _unlisted(answer.mpd)
    yield "playback", _current_song(answer)
    yield "picking", _picking(answer)
    if answer.HasField("steering"):
        yield "mood", text.steering_text(answer.steering)
    yield "library", _library(answer.library)
    yield "embedder", _embedding(answer.embedding)
    yield "executor", _executor(answer.embedding.executor)
    yield "evaluator", _evaluator(answer)
    if answer.evaluator.tag_preferences:
        yield "taste", text.preferences(answer.evaluator.tag_preferences)
    yield "training", _training(answer.training)


def _picking(answer: messages.GetStatusResponse) -> str:
    status_text = f"{'on' if answer.picking_enabled else 'off'}, {len(answer.upcoming_picks)} ahead"
    if answer.picking_enabled and answer.mpd.connected and answer.no_picks_reason:
        status_text += f"; none are added: {answer.no_picks_reason}"
    return status_text


def _mpd(link: messages.MpdConnection) -> str:
    if link.connected:
        return f"{link.protocol_version} at {link.address}"
    return f"not connected: {link.error}"


def _unlisted(link: messages.MpdConnection) -> str:
    tracks = text.counted(link.present_tracks, "track")
    return (
        f"{link.unlisted_tracks} of {tracks} are not in MPD's database, so they are not picked: "
        f"{link.unlisted_reason}"
    )


def _library(counts: messages.LibraryCounts) -> str:
    parts = [text.counted(counts.tracks, "track"), f"{counts.rated} rated"]
    if counts.missing:
        parts.append(f"{counts.missing} missing")
    if counts.unusable_files:
        files = text.counted(counts.unusable_files, "file")
        parts.append(f"{files} cannot be used (`anagnorisis unusable` says why)")
    return ", ".join(parts)


def _embedding(embedding: messages.EmbeddingStatus) -> str:
    parts = [
        f"{embedding.embedder.name} {embedding.embedder.version}",
        f"{embedding.pending or 'nothing'} pending",
    ]
    if embedding.HasField("tracks_per_second"):
        parts.append(f"{embedding.tracks_per_second:.1f} tracks per second")
    if embedding.pending and embedding.HasField("remaining_seconds"):
        parts.append(f"{text.clock(embedding.remaining_seconds)} to go")
    if embedding.failed:
        parts.append(f"{embedding.failed} failed; see `anagnorisis embed`")
    return ", ".join(parts)


def _executor(executor: messages.EmbeddingExecutor) -> str:
    if not executor.address:
        return "this computer"
    if executor.error:
        return f"{executor.address} cannot be used now: {text.printable(executor.error)}"
    workers = text.counted(executor.workers, "worker") if executor.workers else "at rest"
    return f"{executor.address}, {workers}"


def _evaluator(answer: messages.GetStatusResponse) -> str:
    return quality(answer.evaluator) if answer.HasField("evaluator") else "none trained yet"


def _training(training: messages.TrainingStatus) -> str:
    if training.running:
        return "running"
    if training.consecutive_failures:
        times = text.counted(training.consecutive_failures, "time")
        reason = text.printable(training.failure_reason)
        return f"failed {times}: {reason}; next try {text.when(training.next_training_at)}"
    if training.examples_needed:
        needed = text.counted(training.examples_needed, "more rated track")
        return f"needs {needed}, has {training.examples}"
    return f"next {text.when(training.next_training_at)}"
