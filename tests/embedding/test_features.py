"""The feature embedder, from files through worker processes to vectors."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anagnorisisd.config import schema
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan, PlanStage
from anagnorisisd.embedding import registry
from anagnorisisd.embedding.embedder import EmbedderSettings, Vector
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.features.spectral import RATE
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed
from anagnorisisd.events import Events
from anagnorisisd.runtime.supervision import keep_running
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakePreference
from tests.support.library import add_tracks
from tests.support.media import encoded
from tests.support.processes import worker_processes
from tests.support.songs import calm, encode, make_songs, wild
from tests.support.until import until

pytestmark = pytest.mark.slow

JOBS = "tests.support.jobs"
FEATURES = schema.EmbedderChoice.FEATURES


@pytest.fixture
async def embedder(tmp_path: Path) -> AsyncIterator[WorkerEmbedder]:
    wishes = EmbedderSettings(
        schema.Embedding(embedder=FEATURES, workers=2), tmp_path / "models", tmp_path / "cache"
    )
    made = WorkerEmbedder(
        registry.EmbedderSelector(wishes).plan(), idle_seconds=60, timeout_seconds=60
    )
    yield made
    await made.close()


async def test_songs_of_a_kind_are_near_each_other(
    embedder: WorkerEmbedder, tmp_path: Path
) -> None:
    uris = make_songs(tmp_path, 4)

    vectors = np.stack(await asyncio.gather(*(embedder.embed(str(tmp_path / uri)) for uri in uris)))

    assert vectors.shape == (8, embedder.stamp.dimension)
    scaled = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-9)
    distances = np.linalg.norm(scaled[:, np.newaxis] - scaled, axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert (nearest % 2 == np.arange(8) % 2).all()


async def test_damaged_files_fail_with_a_reason_and_good_ones_do_not(
    embedder: WorkerEmbedder, tmp_path: Path
) -> None:
    good = {f"good {kind}": encoded(kind, seconds=2.0) for kind in ("mp3", "flac", "ogg", "m4a")}
    bad = {f"bad {number}": damaged for number, damaged in enumerate(_damaged(good))}
    for name, content in {**good, **bad}.items():
        (tmp_path / name).write_bytes(content)

    results = await asyncio.gather(
        *(embedder.embed(str(tmp_path / name)) for name in [*good, *bad]), return_exceptions=True
    )

    for result in results[: len(good)]:
        assert isinstance(result, np.ndarray)
    for result in results[len(good) :]:
        if isinstance(result, BaseException):
            assert isinstance(result, EmbeddingFailed)
            assert result.permanent
            assert str(result)
        else:
            assert np.isfinite(result).all()


def _damaged(good: dict[str, bytes]) -> list[bytes]:
    """Cut off, overwritten, shifted, mixed up, in every format."""
    rng = np.random.default_rng(0)
    damaged = []
    for content in good.values():
        noise = rng.integers(0, 256, len(content), np.uint8).tobytes()
        third = len(content) // 3
        damaged += [
            content[:100],
            content[third:],
            content[:third] + noise[:third] + content[2 * third :],
            content[:third] + bytes(third) + content[2 * third :],
            noise[:64] + content[64:],
            content[:64] + noise[64:],
            bytes(byte ^ (0x55 if index % 97 == 0 else 0) for index, byte in enumerate(content)),
            content[::-1],
        ]
    return damaged


def test_a_lossless_copy_is_the_same_and_a_good_lossy_one_nearly(tmp_path: Path) -> None:
    songs = [wild(number) if number % 2 else calm(number) for number in range(8)]
    library = np.stack([_embed(tmp_path / "song.wav", song) for song in songs])
    centre = library.mean(axis=0)
    for song, vector in zip(songs, library, strict=True):
        lossless = _embed(tmp_path / "song.flac", song)
        assert (lossless == vector).all()
        lossy = _embed(tmp_path / "song.mp3", song)
        assert _cosine(lossy - centre, vector - centre) > 0.98


def _embed(path: Path, song: NDArray[np.float64]) -> Vector:
    return features.embed(str(encode(path, song)))


def _cosine(one: Vector, other: Vector) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_loudness_and_key_matter_less_than_kind() -> None:
    calm_one, louder, other = (
        features.describe(np.asarray(song[np.newaxis, : 5 * RATE], np.float32))
        for song in (calm(0), calm(0) * 2, wild(1))
    )

    assert np.linalg.norm(calm_one - louder) < np.linalg.norm(calm_one - other)


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.floats(0.1, 1.5),
    scale=st.sampled_from([1e-4, 1e-2, 1.0]),
    seed=st.integers(0, 5),
    sparse=st.booleans(),
)
def test_vector_of_any_audio_is_finite(
    seconds: float, scale: float, seed: int, sparse: bool
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-scale, scale, round(seconds * RATE)).astype(np.float32)
    if sparse:
        samples[rng.random(len(samples)) > 0.001] = 0.0

    vector = features.describe(samples[np.newaxis])

    assert vector.shape == (features.STAMP.dimension,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


async def test_workers_leave_when_idle_and_come_back(tmp_path: Path) -> None:
    make_songs(tmp_path, 1)
    wishes = EmbedderSettings(schema.Embedding(workers=1), tmp_path, tmp_path)
    embedder = WorkerEmbedder(
        registry.EmbedderSelector(wishes).plan(), idle_seconds=0.05, timeout_seconds=60
    )
    try:
        first = await embedder.embed(str(tmp_path / "song 00.flac"))
        await until(lambda: not worker_processes())
        second = await embedder.embed(str(tmp_path / "song 00.flac"))
    finally:
        await embedder.close()
    assert (first == second).all()


def _plan(*targets: str) -> EmbeddingPlan:
    stages = tuple(PlanStage(f"{JOBS}:{target}", (), workers=1, threads=1) for target in targets)
    return EmbeddingPlan(EmbedderStamp("test", "1", 2), stages)


@pytest.mark.parametrize(
    ("target", "error", "text"),
    [
        ("die_with", EmbeddingFailed, "died during this task"),
        ("fail_with", EmbeddingFailed, "no sound in it"),
        ("stumble_over_some", EmbeddingFailed, "ZeroDivisionError: by nothing"),
        ("stumble", EmbedderUnusable, "fails at every track: ZeroDivisionError: by nothing"),
        ("lose_the_disk", EmbeddingFailed, "Input/output error"),
        ("not_finite", EmbeddingFailed, "not finite"),
        ("wrong_shape", EmbedderUnusable, "fails at every track: .*shape"),
        ("miss", FileNotFoundError, "gone"),
        ("be_unusable", EmbedderUnusable, "weights"),
        ("miss_a_library", EmbedderUnusable, "fails at every track: FileNotFoundError"),
    ],
)
async def test_every_trouble_has_its_error(target: str, error: type[Exception], text: str) -> None:
    embedder = WorkerEmbedder(_plan(target), idle_seconds=60, timeout_seconds=60)
    try:
        with pytest.raises(error, match=text):
            await embedder.embed(__file__ if target == "miss_a_library" else "/music/song.mp3")
    finally:
        await embedder.close()


async def test_a_track_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    embedder = WorkerEmbedder(_plan("hang"), idle_seconds=60, timeout_seconds=0.5)
    try:
        with pytest.raises(EmbeddingFailed, match="gave up after 5 seconds") as failed:
            await embedder.embed(str(tmp_path / "song.mp3"))
    finally:
        await embedder.close()
    assert not failed.value.permanent, "the machine may have been busy: it is tried again"


async def test_stages_hand_on_what_they_made() -> None:
    embedder = WorkerEmbedder(_plan("measure", "double"), idle_seconds=60, timeout_seconds=60)
    try:
        assert (await embedder.embed("12345")).tolist() == [10.0, 2.0]
    finally:
        await embedder.close()


async def test_a_library_that_has_changed_fails_no_track(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    await add_tracks(stores, *(f"{number}.mp3" for number in range(20)))
    embedder = WorkerEmbedder(_plan("stumble"), idle_seconds=60, timeout_seconds=60)
    preference = FakePreference(embedder.stamp)
    service = EmbeddingService(
        stores.embeddings, embedder, Path, preference=preference, events=Events(clock), clock=clock
    )
    running = asyncio.create_task(keep_running("embedding", service.run, clock))
    try:
        for _ in range(3):
            await until(lambda: clock.sleepers > 0)
            await clock.advance(60)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await embedder.close()

    progress = await service.progress()
    assert (progress.pending, progress.failed) == (20, 0)
    assert preference.refused[0] == embedder.stamp
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == [
        "ERROR"
    ]


def test_the_stamp_of_the_first_plan_stays_as_it_was() -> None:
    assert str(features.STAMP) == "features-1"
