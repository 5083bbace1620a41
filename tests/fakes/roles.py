"""Small working stand-ins for the services behind the gRPC service."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import (
    LOCAL_EXECUTOR,
    EmbedderStamp,
    EmbeddingProgress,
    ExecutorState,
)
from anagnorisisd.domain.evaluator import (
    EvaluatorStatus,
    EvaluatorVersion,
    Failures,
    Metrics,
    TagPreference,
    TrainedModel,
    TrainingOutcome,
    TrainingPhase,
    TrainingProgress,
    TrainingResult,
    TrainingStatus,
)
from anagnorisisd.domain.pick import Explanation, Pick
from anagnorisisd.domain.player import Player, SongId
from anagnorisisd.domain.track import Track, TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import Events, PickingSwitched
from anagnorisisd.library.change_importer import ScanProgress
from anagnorisisd.picks import chooser, service
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import WeightedCandidates, weigh
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.storage.stores import Stores

METRICS = Metrics(
    mean_absolute_error=1.2,
    baseline_error=2.4,
    rank_correlation=0.7,
    within_one_stddev=0.68,
    within_two_stddev=0.95,
    model_errors={"mean": 2.4, "neighbours": 1.5},
)


class FakeScanner:
    """Finds the same few files each time."""

    async def scan(self) -> AsyncIterator[ScanProgress]:
        """Scan in two steps."""
        yield ScanProgress(found=3, unchanged=1)
        yield ScanProgress(found=3, unchanged=1, read=2, added=2, done=True)


@dataclass
class FakeEmbeddings:
    """Tells the progress that the store knows, at the speed that a test says."""

    stores: Stores
    stamp: EmbedderStamp
    tracks_per_second: float | None = None
    executor: ExecutorState = LOCAL_EXECUTOR

    async def progress(self) -> EmbeddingProgress:
        """Return how much is pending."""
        progress = await self.stores.embeddings.progress(self.stamp)
        return replace(progress, tracks_per_second=self.tracks_per_second, executor=self.executor)

    async def retry(self) -> int:
        """Forget the failures."""
        return await self.stores.embeddings.retry(self.stamp)


@dataclass
class FakePicker:
    """Picks by the real rules from the real store, and queues only what is asked for."""

    stores: Stores
    player: Player
    events: Events
    clock: Clock
    enabled: bool = True
    queued: list[Pick] = field(default_factory=list)
    excluded_genres: tuple[str, ...] = ()
    reason: str | None = None
    steering: SteeringService | None = None

    async def preview(self, count: int, seed: int | None) -> Sequence[Pick]:
        """Choose without queueing."""
        context = PickContext(self.clock.now())
        return chooser.choose(await self._weighted(), PickRules(), context, count, Random(seed))

    async def _weighted(self) -> WeightedCandidates:
        found = await self.stores.library.candidates()
        return weigh(found, await self.steering.factors(found) if self.steering else None)

    async def explain(self, track_id: TrackId) -> Explanation:
        """Return the factors of a track's weight."""
        queued = [chosen.track_id for chosen in self.queued]
        context = PickContext(self.clock.now(), queued)
        found = chooser.explain(await self._weighted(), PickRules(), context, track_id)
        if found is None:
            raise PreconditionFailed(f"track {track_id} is missing and cannot be picked")
        return found

    async def enqueue(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, SongId]:
        """Add tracks to the end of the player's queue."""
        return await service.enqueue(self.stores.library, self.player, track_ids)

    async def switch(self, enabled: bool) -> None:
        """Switch picking on or off."""
        self.enabled = enabled
        self.events.publish(PickingSwitched(enabled))

    async def journey(
        self, start: TrackId, end: TrackId, count: int
    ) -> Sequence[tuple[TrackId, float]]:
        """Return the ends and the first tracks of the library between them."""
        found = await self.stores.library.candidates()
        between = [found.track_id(row) for row in range(len(found))]
        between = [each for each in between if each not in {start, end}][: count - 2]
        return [(each, 0.5) for each in (start, *between, end)]

    async def steering_problems(self) -> Mapping[str, str]:
        """Return why wishes have no effect."""
        steering = (await self._weighted()).steering
        return steering.problems if steering else {}

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks of the excluded genres."""
        found = await self.stores.library.candidates((), self.excluded_genres)
        return {found.track_id(row) for row in found.excluded.nonzero()[0].tolist()}

    async def ahead(self) -> Sequence[Pick]:
        """Return what a test put there."""
        return self.queued


@dataclass
class FakeTrainer:
    """Trains at once, always to the same end."""

    stores: Stores
    clock: Clock
    stamp: EmbedderStamp
    needed: int = 0
    failures: Failures = field(default_factory=Failures)

    async def train(self) -> AsyncIterator[TrainingProgress]:
        """Store a version and say so, or ask for more ratings."""
        yield TrainingProgress(TrainingPhase.MODEL_SELECTION, 0.5, "trying models")
        result = TrainingResult(TrainingOutcome.TOO_FEW_RATINGS, "more ratings are needed")
        if not self.needed:
            version = await self.version()
            result = TrainingResult(TrainingOutcome.PROMOTED, "first of its kind", version)
        yield TrainingProgress(TrainingPhase.DONE, 1.0, result.reason, result)

    async def version(self) -> EvaluatorVersion:
        """Store a version and return it."""
        return await self.stores.evaluators.add(
            TrainedModel(
                "ridge", b"model", METRICS, {"implicit_feedback": "not used: no clear gain"}
            ),
            self.stamp,
            rating_count=12,
            status=EvaluatorStatus.CURRENT,
            promotion_reason="first of its kind",
            at=self.clock.now(),
        )

    async def status(self) -> TrainingStatus:
        """Return what is learnt."""
        return TrainingStatus(
            evaluator=await self.stores.evaluators.current(),
            examples=12,
            needed=self.needed,
            training=False,
            last_training_at=await self.stores.evaluators.last_training(),
            next_training_at=self.clock.now() + 3600,
            failures=self.failures,
        )

    async def rollback(self, version: int) -> EvaluatorVersion:
        """Make an earlier version the current one."""
        return await self.stores.evaluators.make_current(version)


@dataclass
class FakeCuriosity:
    """Holds the newest rating to be the only one that matters."""

    stores: Stores
    stamp: EmbedderStamp

    async def influences(self, track_id: TrackId) -> Sequence[tuple[TrackId, float]]:
        """Return the newest other rated track as the only influence."""
        newest = await self.stores.ratings.history(limit=10)
        others = [entry.track_id for entry in newest if entry.track_id != track_id]
        return [(others[0], 1.0)] if others else []

    async def parts(self, track_id: TrackId) -> Mapping[str, float]:
        """Return three quarters sound, the rest artist, once something is rated."""
        return (
            {"artist": 0.25, "parent_folder": 0.047, "audio": 0.7, "year": 0.003}
            if await self.influences(track_id)
            else {}
        )

    async def matching_tags(self, track: Track) -> Sequence[TagPreference]:
        """Return a tag that every unrated track has, and the listener likes."""
        return [] if track.rating is not None else [TagPreference("jazz", 1.5, 1.2, 7)]

    async def suggest(
        self, count: int, seed: int, left_out: Collection[TrackId]
    ) -> Sequence[TrackId]:
        """Return the unrated tracks that have a vector, in the order of their ids."""
        rated = await self.stores.ratings.current()
        found: list[TrackId] = []
        async for batch in self.stores.embeddings.described(self.stamp):
            found += [
                TrackId(each)
                for each in batch.track_ids
                if each not in rated and each not in left_out
            ]
        if not found:
            raise PreconditionFailed("there is no unrated track that is embedded yet")
        return sorted(found)[:count]


@dataclass
class FakeDrawer:
    """Draws a page as large as a test wants it."""

    page: str = "<!DOCTYPE html>"
    problem: str | None = None

    async def html(self) -> str:
        """Return the page, or say what is missing."""
        if self.problem:
            raise PreconditionFailed(self.problem)
        return self.page
