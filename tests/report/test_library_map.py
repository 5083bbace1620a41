"""The map of the library: positions, columns, and when it is computed again."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisis.v1.library_pb2 import GetLibraryMapRequest, GetLibraryMapResponse
from anagnorisisd.domain.embedding import METADATA, EmbedderStamp
from anagnorisisd.domain.evaluator import FeatureStats, Vectors
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.sound_tags import TAGS, SoundTagIndex
from anagnorisisd.errors import InvalidValue, PreconditionFailed
from anagnorisisd.report.library_map import LibraryMap, MapColumns, fit_in_worker
from anagnorisisd.rpc import map_stream
from anagnorisisd.rpc.map_stream import MapStream
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste import projection
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from tests.fakes.clock import FakeClock
from tests.support.examples import two_kinds
from tests.support.library import EPOCH, add_tracks, predict, track_id
from tests.support.steering import add_styles, songs

STAMP = EmbedderStamp("test", "1", 6)
TRACKS = 40


async def fit_inline(vectors: Vectors, stats: FeatureStats) -> Vectors:
    return projection.fit(vectors, stats)


@pytest.fixture
async def library(stores: Stores) -> Stores:
    """Forty tracks of two kinds of sound in turn; those of even numbers are of the first kind."""
    vectors, _ = two_kinds(TRACKS)
    tracks = await add_tracks(stores, *(f"{number}.ogg" for number in range(TRACKS)))
    await stores.embeddings.put(STAMP, dict(zip(tracks, vectors, strict=True)))
    return stores


@pytest.fixture
def library_map(library: Stores, clock: FakeClock) -> LibraryMap:
    return LibraryMap(library.embeddings, STAMP, fit_inline, clock)


def by_track(columns: MapColumns) -> dict[str, tuple[float, ...]]:
    """Return position, rating and predicted rating of each track."""
    table = np.column_stack([columns.positions, columns.rating, columns.predicted]).tolist()
    ids = [bytes(each).decode() for each in columns.track_ids]
    return dict(zip(ids, map(tuple, table), strict=True))


async def test_tracks_that_sound_alike_lie_close_together(library_map: LibraryMap) -> None:
    found = by_track(await library_map.columns())

    x = [found[track_id(f"{number}.ogg")][0] for number in range(TRACKS)]
    assert len(found) == TRACKS
    assert max(x[::2]) < min(x[1::2]) or min(x[::2]) > max(x[1::2])


async def test_ratings_and_predictions_are_the_present_ones(
    library: Stores, library_map: LibraryMap
) -> None:
    a, b, c = (track_id(f"{number}.ogg") for number in range(3))
    before = by_track(await library_map.columns())
    await library.ratings.rate(a, 7.5, at=EPOCH, source="test")
    await predict(library, {a: 3.0, b: 4.5})
    await library.library.mark_missing([Uri("2.ogg")], EPOCH)

    found = by_track(await library_map.columns())

    assert found[a] == (*before[a][:2], 7.5, 3.0)
    assert found[b][3] == 4.5
    assert np.isnan([found[b][2], *before[a][2:], *found[track_id("3.ogg")][2:]]).all()
    assert c not in found
    assert {track: each[:2] for track, each in found.items()} == {
        track: each[:2] for track, each in before.items() if track != c
    }


async def test_a_new_embedding_comes_into_the_map(
    library: Stores, library_map: LibraryMap, clock: FakeClock
) -> None:
    await library_map.columns()
    (new,) = await add_tracks(library, "new.ogg")
    assert new not in by_track(await library_map.columns())

    await library.embeddings.put(STAMP, {new: np.full(6, 30, np.float32)})
    clock.jump(1)

    found = by_track(await library_map.columns())
    assert len(found) == TRACKS + 1
    assert max(map(abs, found[new][:2])) == 1.0, "an outlier lies at the border"


async def test_an_empty_library(stores: Stores, clock: FakeClock) -> None:
    columns = await LibraryMap(stores.embeddings, STAMP, fit_inline, clock).columns()

    assert len(columns.track_ids) == len(columns.rating) == len(columns.predicted) == 0
    assert columns.positions.shape == (0, 2)


@pytest.mark.slow
async def test_a_confined_worker_computes_the_same_axes(
    library: Stores, library_map: LibraryMap, clock: FakeClock
) -> None:
    pool = WorkerPool(name="report", size=1, idle_seconds=30, readable_paths=ReadablePaths(None))
    fit = partial(fit_in_worker, pool)
    try:
        columns = await LibraryMap(library.embeddings, STAMP, fit, clock).columns()
    finally:
        await pool.close()

    assert (columns.track_ids == (await library_map.columns()).track_ids).all()
    np.testing.assert_allclose(
        columns.positions, (await library_map.columns()).positions, atol=1e-4
    )


@given(
    st.integers(0, 30), st.integers(1, 8), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 1e30])
)
def test_any_vectors_have_finite_positions(
    count: int, dimension: int, seed: int, scale: float
) -> None:
    vectors = (np.random.default_rng(seed).normal(size=(count, dimension)) * scale).astype(
        np.float32
    )
    mean = vectors.mean(axis=0) if count else np.zeros(dimension, np.float32)
    stats = FeatureStats(mean, np.ones(dimension, np.float32), count)

    positions = projection.project(vectors, stats, projection.fit(vectors, stats))

    assert positions.shape == (count, 2)
    assert np.isfinite(positions).all()


# The stream.


async def streamed(stream: MapStream, sound_tag: str = "") -> list[GetLibraryMapResponse]:
    return [part async for part in stream.messages(GetLibraryMapRequest(sound_tag=sound_tag))]


async def test_the_columns_come_in_parts(
    library_map: LibraryMap, clock: FakeClock, library: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_stream, "TRACKS_PER_MESSAGE", 15)
    tags = SoundTagIndex(library.embeddings, STAMP, clock)
    columns = await library_map.columns()

    parts = await streamed(MapStream(library_map, tags))

    assert [len(part.x) for part in parts] == [15, 15, 10]
    assert {part.total_tracks for part in parts} == {TRACKS}
    packed = b"".join(part.track_ids for part in parts)
    ids = [packed[at : at + 16].hex() for at in range(0, len(packed), 16)]
    assert ids == [bytes(each).decode() for each in columns.track_ids]
    assert [x for part in parts for x in part.x] == columns.positions[:, 0].tolist()
    assert [y for part in parts for y in part.y] == columns.positions[:, 1].tolist()
    assert np.isnan([part.rating for part in parts[:2]]).all()
    assert all(not part.sound_tag_score for part in parts)


async def test_a_column_has_the_scores_of_a_sound_tag(stores: Stores, clock: FakeClock) -> None:
    await add_styles(stores)
    tags = SoundTagIndex(stores.embeddings, plan.STAMP, clock)
    stream = MapStream(LibraryMap(stores.embeddings, plan.STAMP, fit_inline, clock), tags)

    (part,) = await streamed(stream, "jazz")

    scores = {
        TrackId(part.track_ids[16 * row : 16 * row + 16].hex()): score
        for row, score in enumerate(part.sound_tag_score)
    }
    jazz = {track_id(uri) for uri in songs("jazz")}
    assert set(sorted(scores, key=scores.__getitem__)[-len(jazz) :]) == jazz
    known, expected = await tags.scores("jazz")
    assert scores == dict(zip(known, expected.tolist(), strict=True))
    with pytest.raises(InvalidValue, match=TAGS[0]):
        await streamed(stream, "yodelling")


async def test_there_is_no_map_where_no_sound_is_known(stores: Stores, clock: FakeClock) -> None:
    tags = SoundTagIndex(stores.embeddings, METADATA, clock)
    stream = MapStream(LibraryMap(stores.embeddings, METADATA, fit_inline, clock), tags)

    with pytest.raises(PreconditionFailed, match=r"music\.source"):
        await streamed(stream)
    empty = MapStream(LibraryMap(stores.embeddings, STAMP, fit_inline, clock), tags)
    (part,) = await streamed(empty)
    assert (part.total_tracks, part.track_ids) == (0, b"")
    with pytest.raises(PreconditionFailed):
        await streamed(empty, "jazz")
