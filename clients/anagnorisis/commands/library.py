"""Commands `tracks`, `tags`, `unusable`, `similar`, `embedding` and `scan`."""

from argparse import Namespace
from collections.abc import Iterator

from anagnorisis import text
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.errors import Failed
from anagnorisis.output import progress_bar, show_json, show_table
from anagnorisis.requests import collect_pages, target
from anagnorisis.v1 import library_pb2 as messages
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.track_pb2 import Track

HEADER = ("RATING", "PREDICTED", "PLAYS", "SKIPS", "LENGTH", "TRACK", "PATH")


def tracks(arguments: Namespace) -> None:
    chosen = f"TRACK_FILTER_{arguments.state.upper()}" if arguments.state else None
    request = messages.ListTracksRequest(
        filter=messages.TrackFilter.Value(chosen or "TRACK_FILTER_UNSPECIFIED"),
        order=messages.TrackOrder.Value(f"TRACK_ORDER_{arguments.order.upper()}"),
        text=arguments.text,
        sound_tag=arguments.tag,
    )
    with connected(arguments) as channel:
        found = collect_pages(
            LibraryServiceStub(channel).ListTracks, request, "tracks", arguments.limit
        )
    if arguments.json:
        for track in found:
            show_json(track, line=True)
    elif arguments.state == "failed":
        show_table(
            ("FAILURE", "PATH"),
            [(text.printable(track.failure_reason), text.printable(track.uri)) for track in found],
        )
    else:
        show_table(HEADER, [_row(track) for track in found])


def tags(arguments: Namespace) -> None:
    """List the sound tags of the library or of a track."""
    with connected(arguments) as channel:
        library = LibraryServiceStub(channel)
        if arguments.of:
            request = messages.GetTrackRequest(target=target(arguments.of))
            answer = library.GetTrack(request, timeout=SECONDS_TO_ANSWER)
            rows = [[tag.name, f"{tag.score:.1f}"] for tag in answer.sound_tags]
            header = ["TAG", "SCORE"]
        else:
            listed = library.ListSoundTags(
                messages.ListSoundTagsRequest(), timeout=SECONDS_TO_ANSWER
            )
            if arguments.names:
                print(*(tag.name for tag in listed.sound_tags if tag.tracks), sep="\n")
                return
            rows = [
                [tag.name, str(tag.tracks), "; ".join(map(text.name, tag.examples))]
                for tag in listed.sound_tags
            ]
            header = ["TAG", "TRACKS", "FOR EXAMPLE"]
    if arguments.json:
        for tag in answer.sound_tags if arguments.of else listed.sound_tags:
            show_json(tag, line=True)
    else:
        show_table(header, rows)


def unusable(arguments: Namespace) -> None:
    """List the unusable files with the reasons."""
    request = messages.ListUnusableFilesRequest()
    with connected(arguments) as channel:
        method = LibraryServiceStub(channel).ListUnusableFiles
        found = collect_pages(method, request, "files", arguments.limit)
    if arguments.json:
        for file in found:
            show_json(file, line=True)
    else:
        show_table(
            ("REASON", "PATH"),
            [(text.printable(file.reason), text.printable(file.uri)) for file in found],
        )


def similar(arguments: Namespace) -> None:
    """List the tracks that sound most like a track."""
    request = messages.FindSimilarRequest(
        target=target(arguments.uri), count=arguments.limit, queue=arguments.queue
    )
    with connected(arguments) as channel:
        answer = LibraryServiceStub(channel).FindSimilar(request, timeout=SECONDS_TO_ANSWER)
    if arguments.json:
        for found in answer.tracks:
            show_json(found, line=True)
    else:
        show_table(
            ("SIMILARITY", "RATING", "TRACK", "PATH"),
            [
                (
                    f"{found.similarity:.2f}",
                    text.rating(found.track),
                    text.name(found.track),
                    text.printable(found.track.uri),
                )
                for found in answer.tracks
            ],
        )
        if arguments.queue:
            print(text.queued(answer.tracks))


def embedding(arguments: Namespace) -> None:
    """Show a track's embedding."""
    request = messages.GetEmbeddingRequest(target=target(arguments.uri))
    with connected(arguments) as channel:
        answer = LibraryServiceStub(channel).GetEmbedding(request, timeout=SECONDS_TO_ANSWER)
    if arguments.json:
        show_json(answer)
        return
    embedder = answer.embedder
    print(f"{answer.track_id} by {embedder.name} {embedder.version}, {embedder.dimension} numbers")
    print(" ".join(f"{value:.4g}" for value in answer.vector))


def scan(arguments: Namespace) -> None:
    """Rescan the music directory."""
    with connected(arguments) as channel:
        answers = LibraryServiceStub(channel).ScanLibrary(messages.ScanLibraryRequest())
        if arguments.json:
            for answer in answers:
                show_json(answer, line=True)
        else:
            _show_progress(answers)


def _show_progress(answers: Iterator[messages.ScanLibraryResponse]) -> None:
    last = messages.ScanLibraryResponse()
    with progress_bar() as bar:
        for last in answers:
            done = last.unchanged + last.read
            status = f"{text.counted(last.found, 'file')} found" if last.found else "looking"
            bar.show(status, done / last.found if last.found else None)
    if last.error:
        raise Failed(text.printable(last.error))
    print(
        f"{text.counted(last.found, 'file')}: {last.added} added, {last.moved} moved, "
        f"{last.changed} changed, {last.missing} missing, {last.unusable} cannot be used; "
        f"{text.counted(last.pending_embeddings, 'embedding')} pending"
    )


def _row(track: Track) -> tuple[str, ...]:
    predicted = f"{track.predicted_rating:.1f}" if track.HasField("predicted_rating") else ""
    return (
        text.number(track.rating) if track.HasField("rating") else "",
        predicted,
        str(track.play_count),
        str(track.skip_count),
        text.clock(track.duration_seconds) if track.HasField("duration_seconds") else "",
        text.name(track),
        text.printable(track.uri),
    )
