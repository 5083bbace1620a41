"""From ratings to stated tags: the training service over a real database, with real models."""

from collections.abc import Sequence

import numpy as np
import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import EvaluatorVersion, TagPreference, TrainingOutcome
from anagnorisisd.domain.track import Tags, TrackId
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.sound_tags import VOCABULARY, WORDS, SoundTagIndex
from anagnorisisd.events import Events
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.training_scheduler import TrainingScheduler
from tests.fakes.clock import FakeClock
from tests.fakes.evaluator import InlineEvaluator
from tests.fakes.scheduler import MinuteScheduler
from tests.support.library import scanned, track_id
from tests.support.training import trained

pytestmark = pytest.mark.slow

TRACKS, RATED = 120, 60
JAZZ, METAL = range(0, TRACKS, 4), range(1, TRACKS, 4)
OTHER = EmbedderStamp("other", "1", plan.STAMP.dimension)


async def add_library(stores: Stores, clock: FakeClock, stamp: EmbedderStamp) -> list[TrackId]:
    """Add tracks by 30 artists, of which a quarter are jazz and a quarter metal."""
    rng = np.random.default_rng(0)
    files = [
        scanned(f"{row}.ogg", tags=Tags(artist=f"Artist {rng.integers(30)}"))
        for row in range(TRACKS)
    ]
    await stores.library.store_files(files, clock.now())
    tracks = [track_id(f"{row}.ogg") for row in range(TRACKS)]
    vectors = rng.normal(size=(TRACKS, plan.STAMP.dimension)).astype(np.float32)
    vectors[:, -len(WORDS) :] = -5 + 0.3 * vectors[:, -len(WORDS) :]
    for rows, tag in ((JAZZ, "jazz"), (METAL, "metal")):
        for word in VOCABULARY[tag]:
            vectors[rows, -len(WORDS) + WORDS.index(word)] += 6
        vectors[rows, :200] += 2 * rng.normal(size=200)  # it is audible elsewhere, too
    await stores.embeddings.put(stamp, dict(zip(tracks, vectors, strict=True)))
    return tracks


def training(
    stores: Stores, clock: FakeClock, stamp: EmbedderStamp = plan.STAMP
) -> TrainingScheduler:
    return TrainingScheduler(
        ratings=stores.ratings,
        embeddings=stores.embeddings,
        evaluators=stores.evaluators,
        evaluator=InlineEvaluator(),
        scheduler=MinuteScheduler(clock),
        events=Events(clock),
        clock=clock,
        config=schema.Training(),
        sound_tags=SoundTagIndex(stores.embeddings, stamp, clock),
        stamp=stamp,
    )


async def rate(
    stores: Stores, clock: FakeClock, tracks: Sequence[TrackId], ratings: Sequence[float]
) -> None:
    for track, rating in zip(tracks, ratings, strict=True):
        await stores.ratings.rate(track, rating, at=clock.now(), source="test")


def taste_for_jazz(count: int) -> list[float]:
    """Return ratings of the first tracks by somebody who likes jazz and dislikes metal."""
    noise = np.random.default_rng(1).normal(size=count)
    means = [9.0 if row in JAZZ else 3.0 if row in METAL else 6.0 for row in range(count)]
    return list(map(float, np.clip(np.round(np.array(means) + noise), 0, 10)))


def liked(preferences: Sequence[TagPreference]) -> dict[str, bool]:
    return {preference.name: preference.liked for preference in preferences}


async def current(stores: Stores) -> EvaluatorVersion:
    version = await stores.evaluators.current()
    assert version is not None
    return version


async def test_tags_that_go_with_the_ratings_are_stored_and_explain_predictions(
    stores: Stores, clock: FakeClock
) -> None:
    tracks = await add_library(stores, clock, plan.STAMP)
    await rate(stores, clock, tracks[:RATED], taste_for_jazz(RATED))
    service = training(stores, clock)

    _, result = await trained(service)

    assert result.version is not None
    assert liked(result.version.tag_preferences) == {"jazz": True, "metal": False}
    assert await current(stores) == result.version
    assert (await service.status()).evaluator == result.version
    jazz = next(tag for tag in result.version.tag_preferences if tag.liked)
    assert jazz.rated_tracks == RATED // 4
    assert 1 < jazz.rated_difference < 5

    async def matching(row: int) -> list[str]:
        track = await stores.library.track(tracks[row], plan.STAMP)
        return [tag.name for tag in await service.explanations.matching_tags(track)]

    assert await matching(JAZZ[-1]) == ["jazz"]
    assert await matching(METAL[-1]) == ["metal"]
    assert await matching(TRACKS - 1) == [], "it has no tag"
    assert await matching(JAZZ[0]) == [], "it is rated"


async def test_a_training_that_promotes_nothing_updates_the_current_evaluator(
    stores: Stores, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = await add_library(stores, clock, plan.STAMP)
    await rate(stores, clock, tracks[:12], taste_for_jazz(12))
    service = training(stores, clock)
    await trained(service)
    before = (await current(stores)).tag_preferences
    await rate(stores, clock, tracks[12:RATED], taste_for_jazz(RATED)[12:])
    monkeypatch.setattr("anagnorisisd.taste.trainer.promotion", lambda new, old: (False, "worse"))

    _, result = await trained(service)

    assert result.outcome is TrainingOutcome.NOT_PROMOTED
    assert not before, "twelve ratings are too few"
    assert liked((await current(stores)).tag_preferences) == {"jazz": True, "metal": False}


async def test_without_tags_nothing_is_stated(stores: Stores, clock: FakeClock) -> None:
    tracks = await add_library(stores, clock, OTHER)
    await rate(stores, clock, tracks[:12], taste_for_jazz(12))

    _, result = await trained(training(stores, clock, OTHER))

    assert result.outcome is TrainingOutcome.PROMOTED
    assert not (await current(stores)).tag_preferences
