"""Calm lines for a pipe or a file: each thing is said when it changes, and once."""

from collections.abc import Iterator
from typing import TextIO

from anagnorisisd.console import text
from anagnorisisd.console.snapshot import Snapshot

EMBEDDING_STEPS = 10
"""Into how many lines the progress of a long embedding is divided."""


class PlainScreen:
    """Writes a line for whatever is new since the last snapshot."""

    def __init__(self, stream: TextIO, client: str) -> None:
        self._stream = stream
        self._client = client
        self._said: dict[str, object] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Write what is new."""
        for subject, version, line in self._lines(snapshot):
            if self._said.get(subject) != version:
                self._said[subject] = version
                print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left to be undone."""

    def _lines(self, snapshot: Snapshot) -> Iterator[tuple[str, object, str]]:
        """Yield a subject, the version of it that was shown, and the line that shows it."""
        if snapshot.scan and snapshot.scan.done:
            yield "scan", snapshot.scan, text.scanning(snapshot.scan)
        progress = snapshot.embedding
        if progress and progress.total:
            step = (progress.total - progress.pending) * EMBEDDING_STEPS // progress.total
            yield "embedding", (step, progress.total), text.embedding(progress)
        for notice in snapshot.notices:
            yield notice, True, notice
        playing = text.playing(snapshot)
        yield "playing", playing, playing
        if snapshot.no_picks or "picks" in self._said:
            yield "picks", snapshot.no_picks, text.held_back(snapshot.no_picks)
        if snapshot.current:
            yield "hint", True, "\n".join(text.how_to_rate(self._client))
        ahead = [track.track_id for track, _ in snapshot.ahead]
        if ahead:
            yield "ahead", ahead, "\n".join(self._ahead(snapshot))

    def _ahead(self, snapshot: Snapshot) -> Iterator[str]:
        for track, why in snapshot.ahead:
            yield (
                f"  ahead: {text.name(track)} ({text.counted_rating(why)}; "
                f"{text.WEIGHT} {text.weight(why)}; chance {why.probability:.1%})"
            )
