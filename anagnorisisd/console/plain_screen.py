"""Output for a pipe or a file: a line for each change."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TextIO

from anagnorisisd.console import messages
from anagnorisisd.console.snapshot import Snapshot

EMBEDDING_STEPS = 10
"""Number of lines that show the progress of embedding the library."""
MEGABYTE = 1_000_000


class PlainScreen:
    """Writes a line for each change since the last snapshot."""

    def __init__(self, stream: TextIO, client: str) -> None:
        self._stream = stream
        self._client = client
        self._shown: dict[str, object] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Write the changes."""
        for subject, version, line in self._lines(snapshot):
            if self._shown.get(subject) != version:
                self._shown[subject] = version
                print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Do nothing; the stream stays open."""

    def _lines(self, snapshot: Snapshot) -> Iterator[tuple[str, object, str]]:
        """Yield (subject, version, line); a line is written if the version has changed."""
        if snapshot.scan and snapshot.scan.finished:
            yield "scan", snapshot.scan, messages.scan_progress(snapshot.scan)
        progress = snapshot.embedding
        if progress and progress.total:
            step = (progress.total - progress.pending) * EMBEDDING_STEPS // progress.total
            yield "embedding", (step, progress.total), messages.embedding_progress(progress)
        for notice in snapshot.notices:
            yield notice, True, notice
        playing = messages.playback(snapshot)
        if playing != messages.CONNECTING:  # it may be out of date, and the log says the rest
            # The order of the tags changes while the library is being embedded.
            untagged = messages.playback(replace(snapshot, sound_tags=()))
            yield "playing", (untagged, frozenset(snapshot.sound_tags)), playing
        if snapshot.no_picks or "picks" in self._shown:
            yield "picks", snapshot.no_picks, messages.picking_state(snapshot.no_picks)
        if snapshot.current:
            yield "hint", True, "\n".join(messages.command_hints(self._client))
        ahead = [track.track_id for track, _ in snapshot.ahead]
        if ahead:
            yield "ahead", ahead, "\n".join(self._ahead(snapshot))

    def _ahead(self, snapshot: Snapshot) -> Iterator[str]:
        for track, why in snapshot.ahead:
            yield (
                f"  ahead: {messages.track_name(track)} ({messages.rating_with_source(why)}; "
                f"{messages.WEIGHT_FACTORS} {messages.weight_factors(why)}; "
                f"chance {why.probability:.1%})"
            )


class DownloadProgress:
    """Writes the progress of a download to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown = ""

    def __call__(self, name: str, reached: int, total: int) -> None:
        """Show that `reached` of `total` bytes have arrived; if not on a terminal, only the end."""
        complete = reached >= total
        megabytes = f"{reached // MEGABYTE} of {total // MEGABYTE} MB"
        line = f"{name}: {'complete' if complete else megabytes}"
        if line == self._shown or not (complete or self._is_terminal):
            return
        self._shown = line
        start = "\r\x1b[K" if self._is_terminal else ""
        end = "\n" if complete else ""
        self._stream.write(f"{start}{line}{end}")
        self._stream.flush()
