"""Report service: collects ratings, evaluator, plays and picks, and renders the HTML page."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import cast

import numpy as np

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Floats64, TrackFeatures
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import Track, TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.extras import install_command, is_installed
from anagnorisisd.report.data import ArtistSummary, ReportData, ReportRow
from anagnorisisd.report.library_map import DOTS
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.queue import QueueStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.track_queries import TrackKey, TrackOrder
from anagnorisisd.taste.explanations import sample_tracks
from anagnorisisd.workers.pool import WorkerPool

PAGE = 1000
RECENT = 15
MIN_ARTIST_TRACKS = 2
"""Minimum number of tracks of an artist in the tables of artists."""
NOTES = {
    PlayOutcome.FULL: "played in full",
    PlayOutcome.SKIP: "skipped",
    PlayOutcome.NEITHER: "played in part",
}
DRAW_TIMEOUT_SECONDS = 600.0


class ReportService:
    """Makes a self-contained HTML page about ratings, evaluator and library."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        ratings: RatingStore,
        plays: PlayStore,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        queue: QueueStore,
        draw: Callable[[ReportData], Awaitable[str]],
        clock: Clock,
        stamp: EmbedderStamp,
    ) -> None:
        self._library = library
        self._ratings = ratings
        self._plays = plays
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._queue = queue
        self._draw = draw
        self._clock = clock
        self._stamp = stamp

    async def html(self) -> str:
        """Return the report as HTML.

        Raises:
            PreconditionFailed: the plotting library is not installed.
        """
        require_matplotlib()
        rng = Random(0)  # noqa: S311 - a fixed seed: the same library gives the same map
        rated_at, ratings = await self._history()
        sample = await sample_tracks(self._embeddings, self._stamp, DOTS, rng)
        current = await self._evaluators.current()
        usable = current is not None and current.stamp == self._stamp
        data = ReportData(
            made_at=self._clock.now(),
            rated_at=rated_at,
            ratings=ratings,
            examples=await self._embeddings.training_set(self._stamp),
            library=sample,
            predicted=await self._predicted(sample),
            artists=await self._artists(),
            picks=await self._picks(),
            plays=await self._recent_plays(),
            evaluator=current,
            model=await self._evaluators.blob(current.version) if current and usable else None,
        )
        return await self._draw(data)

    async def _history(self) -> tuple[Floats64, Floats64]:
        times: list[float] = []
        values: list[float] = []
        before: int | None = None
        while page := await self._ratings.history(limit=PAGE, before=before):
            given = [entry for entry in page if entry.value is not None]
            times.extend(entry.rated_at for entry in given)
            values.extend(entry.value for entry in given if entry.value is not None)
            before = page[-1].sequence
        return np.array(times[::-1]), np.array(values[::-1])

    async def _predicted(self, sample: TrackFeatures) -> Floats64:
        candidates = await self._library.candidates()
        rows = [candidates.row(track_id) for track_id in sample.track_ids]
        return np.array(
            [np.nan if row is None else candidates.predicted_mean[row] for row in rows], np.float64
        )

    async def _artists(self) -> Sequence[ArtistSummary]:
        scores_by_artist: dict[str, list[float]] = defaultdict(list)
        async for track in self._tracks():
            liking = track.rating
            if liking is None and track.prediction is not None:
                liking = track.prediction.mean
            if track.tags.artist and liking is not None:
                scores_by_artist[track.tags.artist].append(liking)
        found = [
            ArtistSummary(name, len(scores), sum(scores) / len(scores))
            for name, scores in scores_by_artist.items()
            if len(scores) >= MIN_ARTIST_TRACKS
        ]
        return sorted(found, key=lambda artist: (-artist.liking, artist.name))

    async def _tracks(self) -> AsyncIterator[Track]:
        after: TrackKey | None = None
        while page := await self._library.tracks(self._stamp, limit=PAGE, after=after):
            for track in page:
                yield track
            after = TrackKey.of(page[-1], TrackOrder.ADDED)

    async def _picks(self) -> Sequence[ReportRow]:
        entries = await self._queue.entries()
        return [await self._row(track_id, "in the queue") for track_id in entries.values()]

    async def _recent_plays(self) -> Sequence[ReportRow]:
        plays = await self._plays.recent(RECENT)
        return [
            await self._row(play.track_id, NOTES[play.outcome], play.ended_at) for play in plays
        ]

    async def _row(self, track_id: TrackId, note: str, at: float | None = None) -> ReportRow:
        track = await self._library.track(track_id, self._stamp)
        return ReportRow(track.title, track.tags.artist or "", note, track.rating, at)


def require_matplotlib() -> None:
    """Raise `PreconditionFailed` if matplotlib is not installed; do not import it."""
    if not is_installed("report"):
        raise PreconditionFailed(
            "the report needs matplotlib, which is not installed; "
            f"install it with `{install_command('report')}`"
        )


async def draw(workers: WorkerPool, cache: Path, data: ReportData) -> str:
    """Return the report as HTML; matplotlib keeps its font cache below `cache`."""
    answer = await workers.run(
        "anagnorisisd.report.page:draw_in_worker",
        data,
        str(cache / "matplotlib"),
        timeout_seconds=DRAW_TIMEOUT_SECONDS,
        result_type=str,
    )
    return cast("str", answer)
