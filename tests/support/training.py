"""The training service over a real database, with the clock and the worker in a test's hands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from anagnorisisd.config import schema
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TrainingProgress, TrainingResult
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.events import Events, TracksEmbedded
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.runtime.scheduler import Scheduler
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.training_scheduler import TrainingScheduler
from tests.fakes.clock import FakeClock
from tests.fakes.evaluator import InlineEvaluator
from tests.fakes.scheduler import MinuteScheduler
from tests.support.examples import two_kinds
from tests.support.library import add_tracks

STAMP = EmbedderStamp("test", "1", 6)
OTHER = EmbedderStamp("other", "1", 6)
DAY = 86400.0


@dataclass
class Bench:
    """A library of thirty tracks of two kinds, of which the listener likes one."""

    stores: Stores
    clock: FakeClock
    events: Events
    ratings: RatingService
    evaluator: InlineEvaluator
    tracks: list[TrackId]

    def training(
        self, stamp: EmbedderStamp = STAMP, *, scheduler: Scheduler | None = None, **config: object
    ) -> TrainingScheduler:
        """Return a service on this bench; it looks for the night each minute by default."""
        return TrainingScheduler(
            ratings=self.stores.ratings,
            embeddings=self.stores.embeddings,
            evaluators=self.stores.evaluators,
            evaluator=self.evaluator,
            scheduler=scheduler or MinuteScheduler(self.clock),
            events=self.events,
            clock=self.clock,
            config=schema.Training.model_validate(
                {"timezone": "Europe/Berlin", "minimum_ratings": 8, **config}
            ),
            sound_tags=SoundTagIndex(self.stores.embeddings, stamp, self.clock),
            stamp=stamp,
        )

    async def embed(self, rows: range, stamp: EmbedderStamp = STAMP) -> None:
        vectors, _ = two_kinds(len(self.tracks))
        await self.stores.embeddings.put(stamp, {self.tracks[row]: vectors[row] for row in rows})
        self.events.publish(TracksEmbedded(tuple(self.tracks[row] for row in rows)))

    async def rate(self, rows: range, *, turned: bool = False) -> None:
        for row in rows:
            liked = bool(row % 2) == turned
            await self.ratings.rate(self.tracks[row], 9.0 if liked else 2.0, source="test")

    async def predicted(self) -> dict[int, float]:
        """Return the predicted mean of each row that has one."""
        candidates = await self.stores.library.candidates()
        rows = {track: row for row, track in enumerate(self.tracks)}
        return {
            rows[candidates.track_id(place)]: float(mean)
            for place, mean in enumerate(candidates.predicted_mean)
            if not np.isnan(mean)
        }

    async def until(self, so: Callable[[], Awaitable[bool]]) -> None:
        """Let the fake time pass until something is so."""
        async with asyncio.timeout(20):
            while not await so():
                await self.clock.advance(1.0)
                await asyncio.sleep(0.001)


async def make_bench(stores: Stores, clock: FakeClock) -> Bench:
    """Return a bench with thirty tracks, none of them embedded or rated yet."""
    events = Events(clock)
    tracks = await add_tracks(stores, *(f"folder {row}/{row}.ogg" for row in range(30)))
    ratings = RatingService(stores.ratings, events, clock)
    return Bench(stores, clock, events, ratings, InlineEvaluator(), tracks)


@asynccontextmanager
async def running(training: TrainingScheduler) -> AsyncIterator[None]:
    """Let a training service live; whatever makes it fail is raised at the end."""
    task = asyncio.create_task(training.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


async def trained(training: TrainingScheduler) -> tuple[list[TrainingProgress], TrainingResult]:
    """Train, and return the progress told and the result."""
    progress = [each async for each in training.train()]
    result = progress[-1].result
    assert result is not None
    return progress, result


def liked_above_disliked(predicted: dict[int, float]) -> bool:
    """Say whether every track of the liked kind is predicted above every other one."""
    liked = [mean for row, mean in predicted.items() if row % 2 == 0]
    disliked = [mean for row, mean in predicted.items() if row % 2]
    return bool(liked and disliked) and min(liked) > max(disliked)
