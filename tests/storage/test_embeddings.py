"""Vectors and failures, what is pending, and what an evaluator is shown."""

import numpy as np
import pytest

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.storage.embeddings import PendingTrack
from anagnorisisd.storage.stores import Stores
from tests.support.library import (
    EPOCH,
    STAMP,
    add_rated,
    add_tracks,
    add_vectors,
    play,
    scanned,
    track_id,
    vector,
)

OTHER = EmbedderStamp("test", "2", 4)


async def test_vector_comes_back_as_it_was(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a")
    stored = np.array([1e-30, -0.1, np.pi, 3e38], dtype=np.float32)
    await add_vectors(stores, {track: stored})
    found = await stores.embeddings.get(STAMP, track)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, stored)
    assert await stores.embeddings.get(OTHER, track) is None


async def test_vector_of_another_length_is_refused(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a")
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        await add_vectors(stores, {track: vector(1, 2, 3)})


async def test_a_track_whose_id_has_changed_is_left_out(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a")
    gone = TrackId("x")

    await add_vectors(stores, {gone: vector(1, 2, 3, 4), track: vector(1, 2, 3, 4)})
    tries = await stores.embeddings.fail(STAMP, gone, "silence", permanent=True, at=EPOCH)

    assert await stores.embeddings.get(STAMP, track) is not None
    assert tries == 0


async def test_pending_are_present_tracks_without_vector_newest_first(stores: Stores) -> None:
    for number, name in enumerate(["old", "embedded", "broken", "flaky", "gone", "new"]):
        await add_tracks(stores, name, at=EPOCH + number)
    await add_vectors(stores, {track_id("embedded"): vector(1, 2, 3, 4)})
    await stores.embeddings.fail(STAMP, track_id("broken"), "silence", permanent=True, at=EPOCH)
    await stores.embeddings.fail(STAMP, track_id("flaky"), "died", permanent=False, at=EPOCH)
    await stores.library.mark_missing([Uri("gone")], EPOCH)
    pending = await stores.embeddings.pending(STAMP, 10)
    assert pending == [PendingTrack(track_id(name), Uri(name)) for name in ("new", "flaky", "old")]
    assert len(await stores.embeddings.pending(STAMP, 2)) == 2
    assert len(await stores.embeddings.pending(OTHER, 10)) == 5
    assert await stores.embeddings.progress(STAMP) == EmbeddingProgress(3, embedded=1, failed=1)


async def test_failures_are_counted_until_a_vector_comes(stores: Stores) -> None:
    (track,) = await add_tracks(stores, "a")
    tries = [
        await stores.embeddings.fail(STAMP, track, "died", permanent=permanent, at=EPOCH)
        for permanent in (False, False, True)
    ]
    assert tries == [1, 2, 3]
    await add_vectors(stores, {track: vector(1, 2, 3, 4)})
    assert await stores.embeddings.progress(STAMP) == EmbeddingProgress(0, embedded=1, failed=0)
    assert await stores.embeddings.retry(STAMP) == 0


async def test_retry_makes_failed_tracks_pending_again(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    await stores.embeddings.fail(STAMP, a, "silence", permanent=True, at=EPOCH)
    await stores.embeddings.fail(OTHER, b, "silence", permanent=True, at=EPOCH)
    assert await stores.embeddings.retry(STAMP) == 1
    assert len(await stores.embeddings.pending(STAMP, 10)) == 2
    assert await stores.embeddings.fail(STAMP, a, "silence", permanent=True, at=EPOCH) == 1


@pytest.mark.parametrize("batch_size", [1, 3, 100])
async def test_described_shows_present_tracks_in_batches(stores: Stores, batch_size: int) -> None:
    names = [str(number) for number in range(8)]
    files = [scanned(name, tags=Tags(artist=f"artist {name}")) for name in names]
    await stores.library.store_files(files, EPOCH)
    await stores.library.mark_missing([Uri("7")], EPOCH)
    await add_vectors(
        stores, {track_id(name): vector(float(name), 0, 0, 0) for name in names if name != "3"}
    )
    batches = [
        batch async for batch in stores.embeddings.track_features(STAMP, batch_size=batch_size)
    ]
    assert max(map(len, batches)) <= batch_size
    shown = {
        track: (vectors[0], tags.artist, uri)
        for batch in batches
        for track, vectors, tags, uri in zip(
            batch.track_ids, batch.vectors, batch.tags, batch.uris, strict=True
        )
    }
    assert shown == {
        track_id(name): (float(name), f"artist {name}", name)
        for name in ("0", "1", "2", "4", "5", "6")
    }


async def test_described_of_chosen_tracks(stores: Stores) -> None:
    a, b, c = await add_tracks(stores, "a", "b", "c")
    await add_vectors(stores, {a: vector(1, 0, 0, 0), c: vector(3, 0, 0, 0)})
    chosen = [batch async for batch in stores.embeddings.track_features(STAMP, only=[c, b])]
    assert [list(batch.track_ids) for batch in chosen] == [[c]]
    assert [batch async for batch in stores.embeddings.track_features(STAMP, only=[])] == []
    assert [batch async for batch in stores.embeddings.track_features(OTHER)] == []


async def test_moments_are_those_of_numpy_even_far_from_zero(stores: Stores) -> None:
    rng = np.random.default_rng(1)
    stamp = EmbedderStamp("wide", "1", 16, segments=(12, 4))
    values = (rng.standard_normal((500, 16)) * 0.01 + 1000).astype(np.float32)
    added = await add_tracks(stores, *map(str, range(500)))
    await add_vectors(stores, dict(zip(added, values, strict=True)), stamp)
    await stores.library.mark_missing([Uri("0")], EPOCH)
    feature_stats = await stores.embeddings.feature_stats(stamp)
    assert (feature_stats.count, feature_stats.segments) == (500, (12, 4))
    np.testing.assert_allclose(feature_stats.mean, values.mean(axis=0, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(
        feature_stats.stddev, values.std(axis=0, dtype=np.float64), rtol=1e-4
    )


async def test_moments_of_pages_and_after_more_vectors(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anagnorisisd.storage.vector_queries.PAGE_SIZE", 3)
    added = await add_tracks(stores, *map(str, range(10)))
    vectors = {track: vector(n, -n, 0, n * n) for n, track in enumerate(added)}
    for known in (7, 10):
        await add_vectors(stores, dict(list(vectors.items())[:known]))
        stats = await stores.embeddings.feature_stats(STAMP)
        expected = np.array(list(vectors.values())[:known], dtype=np.float64)
        np.testing.assert_allclose(stats.mean, expected.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(stats.stddev, expected.std(axis=0), rtol=1e-6)


async def test_no_vectors_have_moments_of_zero(stores: Stores) -> None:
    stats = await stores.embeddings.feature_stats(STAMP)
    assert (stats.count, stats.mean.tolist(), stats.stddev.tolist()) == (
        0,
        [0] * 4,
        [0] * 4,
    )


async def test_training_set_holds_rated_tracks_with_vectors(stores: Stores) -> None:
    a, _, gone, cleared = await add_rated(stores, {"a": 8, "no vector": 7, "gone": 2, "cleared": 1})
    (unrated,) = await add_tracks(stores, "unrated")
    await stores.ratings.rate(a, 9, at=EPOCH + 5, source="test")
    await stores.ratings.rate(cleared, None, at=EPOCH, source="test")
    await stores.plays.append(play(gone))
    tracks = (a, gone, cleared, unrated)
    await add_vectors(stores, {track: vector(n, 0, 0, 0) for n, track in enumerate(tracks)})
    await stores.library.mark_missing([Uri("gone")], EPOCH)
    examples = await stores.embeddings.training_set(STAMP)
    assert list(examples.tracks.track_ids) == [a, gone]
    assert examples.tracks.vectors[:, 0].tolist() == [0, 1]
    assert examples.ratings.tolist() == [9, 2]
    assert examples.rated_at.tolist() == [EPOCH + 5, EPOCH]
    assert (examples.full_plays.tolist(), examples.skips.tolist()) == ([0, 1], [0, 0])
    assert (examples.feature_stats.count, examples.stamp) == (4, STAMP)
    assert await stores.embeddings.example_count(STAMP) == 2
    assert await stores.embeddings.example_count(OTHER) == 0


async def test_training_set_may_be_empty(stores: Stores) -> None:
    examples = await stores.embeddings.training_set(STAMP)
    assert len(examples) == 0
    assert examples.tracks.vectors.shape == (0, 4)
