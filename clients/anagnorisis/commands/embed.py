"""Command `embed`."""

from argparse import Namespace
from collections.abc import Iterable, Iterator

from anagnorisis import text
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.output import show_json
from anagnorisis.requests import collect_pages
from anagnorisis.v1 import library_pb2 as messages
from anagnorisis.v1.daemon_pb2 import EmbeddingStatus, GetStatusRequest
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.track_pb2 import Track


def embed(arguments: Namespace) -> None:
    """Show the progress and failures of embedding, or retry failed tracks."""
    if arguments.retry:
        _retry(arguments)
    else:
        _show(arguments)


def _retry(arguments: Namespace) -> None:
    with connected(arguments) as channel:
        answer = LibraryServiceStub(channel).RetryEmbeddings(
            messages.RetryEmbeddingsRequest(), timeout=SECONDS_TO_ANSWER
        )
    if arguments.json:
        show_json(answer)
    elif answer.count:
        print(f"{text.counted(answer.count, 'track')} tried again; see `anagnorisis embed`")
    else:
        print("no track has failed")


def _show(arguments: Namespace) -> None:
    with connected(arguments) as channel:
        request = GetStatusRequest()
        embedding = (
            DaemonServiceStub(channel).GetStatus(request, timeout=SECONDS_TO_ANSWER).embedding
        )
        if arguments.json:
            show_json(embedding)
            return
        failed = collect_pages(
            LibraryServiceStub(channel).ListTracks,
            messages.ListTracksRequest(filter=messages.TRACK_FILTER_FAILED),
            "tracks",
            arguments.limit,
        )
    for label, value in _status_rows(embedding):
        print(f"{label:<10} {text.printable(value)}")
    for line in _failure_lines(failed, embedding.failed):
        print(text.printable(line))


def _status_rows(embedding: EmbeddingStatus) -> Iterator[tuple[str, str]]:
    yield "embedder", f"{embedding.embedder.name} {embedding.embedder.version}"
    yield "pending", str(embedding.pending)
    yield "embedded", str(embedding.embedded)
    yield "failed", str(embedding.failed)
    if embedding.HasField("tracks_per_second"):
        yield "speed", f"{embedding.tracks_per_second:.1f} tracks per second"
    if embedding.pending and embedding.HasField("remaining_seconds"):
        yield "time left", text.clock(embedding.remaining_seconds)


def _failure_lines(failed: Iterable[Track], count: int) -> Iterator[str]:
    shown = 0
    for shown, track in enumerate(failed, start=1):  # noqa: B007 - used after the loop
        yield f"  {track.uri}: {track.failure_reason}"
    if count > shown:
        yield f"  and {count - shown} more; see `anagnorisis tracks --state failed -n {count}`"
    if shown:
        yield "try them again with `anagnorisis embed --retry`"
