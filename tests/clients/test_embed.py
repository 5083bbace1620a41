"""`anagnorisis embed`: how far embedding is, what failed and why, and trying that again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import SlowEmbedder
from tests.support.library import STAMP, add_tracks, add_vectors, track_id, vector
from tests.support.media import write_song
from tests.support.rpc import House, answered, said, serving


@pytest.fixture
def embedder(clock: FakeClock) -> SlowEmbedder:
    return SlowEmbedder(STAMP, clock, seconds=2.0)


@pytest.fixture
async def house(
    stores: Stores, clock: FakeClock, tmp_path: Path, embedder: SlowEmbedder
) -> AsyncIterator[House]:
    """Five tracks: one embedded, two failed, two pending."""
    (tmp_path / "music").mkdir()
    house = House.build(stores, clock, tmp_path / "music", embedder)
    await add_tracks(stores, *(f"{letter}.ogg" for letter in "abcde"))
    await add_vectors(stores, {track_id("a.ogg"): vector(1, 2, 3, 4)})
    for uri, reason in (("b.ogg", "no audio in it"), ("c.ogg", "too short")):
        await stores.embeddings.fail(STAMP, track_id(uri), reason, permanent=True, at=0.0)
    async with serving(house, tmp_path / "sock"):
        yield house


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


async def test_counts_speed_and_failures_are_shown(
    house: House, socket: Path, embedder: SlowEmbedder
) -> None:
    await add_tracks(house.stores, *(f"new {number}.ogg" for number in range(3)))

    async with embedder.third_track_begun(house.embedding):
        lines = (await said(socket, "embed")).splitlines()

    assert [line.split(maxsplit=1) for line in lines[:5]] == [
        ["embedder", "test 1"],
        ["pending", "3"],
        ["embedded", "3"],
        ["failed", "2"],
        ["speed", "0.5 tracks per second"],
    ]
    assert lines[5] == "time left  0:06"
    assert sorted(lines[6:8]) == ["  b.ogg: no audio in it", "  c.ogg: too short"]
    assert lines[8:] == ["try them again with `anagnorisis embed --retry`"]


async def test_many_failures_are_cut_short(house: House, socket: Path) -> None:
    lines = (await said(socket, "embed", "-n", "1")).splitlines()

    assert lines[-2] == "  and 1 more; see `anagnorisis tracks --state failed -n 2`"


async def test_failed_tracks_are_listed_with_their_reason(house: House, socket: Path) -> None:
    header, *rows = (await said(socket, "tracks", "--state", "failed")).splitlines()

    assert header.split() == ["FAILURE", "PATH"]
    assert sorted(rows) == ["no audio in it  b.ogg", "too short       c.ogg"]


async def test_status_shows_failed_embeddings(house: House, socket: Path) -> None:
    assert "test 1, 2 pending, 2 failed; see `anagnorisis embed`" in await said(socket, "status")


async def test_retry_makes_them_pending_again(house: House, socket: Path) -> None:
    assert await said(socket, "embed", "--retry") == (
        "2 tracks tried again; see `anagnorisis embed`\n"
    )
    assert await house.embedding.progress() == EmbeddingProgress(pending=4, embedded=1, failed=0)
    assert await said(socket, "embed", "--retry") == "no track has failed\n"


async def test_json_is_that_of_the_contract(house: House, socket: Path) -> None:
    (embedding,) = await answered(socket, "embed")
    (retried,) = await answered(socket, "embed", "--retry")

    assert (embedding["pending"], embedding["embedded"], embedding["failed"]) == ("2", "1", "2")
    assert retried == {"count": "2"}


async def test_scan_reports_the_embedding_speed(
    house: House, socket: Path, embedder: SlowEmbedder, tmp_path: Path
) -> None:
    for seed in range(3):
        write_song(tmp_path / "music" / f"{seed}.flac", seed)
    await said(socket, "scan")

    async with embedder.third_track_begun(house.embedding):
        last = (await answered(socket, "scan"))[-1]

    pending = int(last["pending_embeddings"])
    assert last["embeddings_per_second"] == 0.5
    assert last["embedding_remaining_seconds"] == 2 * pending
