"""Modules and chiptunes: found through the player, identified by their bytes."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import Tags, Track, Uri
from anagnorisisd.library.tunes import Tunes, file_of, is_tune, tune_id
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import STAMP
from tests.support.tunes import FILES, write_tunes

MODULE, FIRST, SECOND = map(Uri, (
    "tunes/a.mod", "tunes/three.sid/tune_001.sid", "tunes/three.sid/tune_002.sid"
))  # fmt: skip


@pytest.fixture
def player(clock: FakeClock) -> FakePlayer:
    player = FakePlayer(clock, {MODULE: 8.0, FIRST: 60.0, SECOND: 61.0})
    player.tags[MODULE] = Tags(title="Module")
    return player


@pytest.fixture
async def tunes(
    stores: Stores, player: FakePlayer, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Tunes]:
    write_tunes(tmp_path)
    workers = WorkerPool(
        name="reading", size=1, idle_seconds=5, executors=partial(ThreadPoolExecutor, 1)
    )
    config = Music(exclude=("excluded/*",))
    yield Tunes(stores.library, player, tmp_path, config=config, workers=workers, clock=clock)
    await workers.close()


async def at(stores: Stores, uri: str) -> Track:
    found = await stores.library.track_at(Uri(uri))
    assert found is not None, uri
    return await stores.library.track(found, STAMP)


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("a/b.sid", "a/b.sid"),
        ("a/b.sid/tune_001.sid", "a/b.sid"),
        ("a/b.SID/tune_010.sid", "a/b.SID"),
        ("b.sid/c.sid", "b.sid/c.sid"),  # a directory with that name
        ("tune_001.sid", "tune_001.sid"),
    ],
)
def test_the_file_of_a_tune(uri: str, file: str) -> None:
    assert is_tune(Uri(uri))
    assert file_of(Uri(uri)) == file


async def test_tunes_that_the_player_lists_are_tracks(
    tunes: Tunes, player: FakePlayer, stores: Stores
) -> None:
    assert await tunes.compare([*player.database, Uri("gone.mod"), Uri("excluded/x.mod")])

    module, second = await at(stores, MODULE), await at(stores, SECOND)
    assert (module.track_id, module.title) == (tune_id(FILES[MODULE]), "Module")
    assert module.duration_seconds == 8.0
    assert second.title == "three (2)"
    assert second.track_id != (await at(stores, FIRST)).track_id
    assert (await stores.library.counts(STAMP)).tracks == 3
    assert not await tunes.compare(player.database)
    assert await stores.library.present_files() == set(), "a scan does not look for them"


async def test_a_tune_that_is_moved_is_the_same_track(
    tunes: Tunes, player: FakePlayer, stores: Stores, tmp_path: Path
) -> None:
    await tunes.compare(player.database)
    before = {uri: (await at(stores, uri)).track_id for uri in (MODULE, SECOND)}
    (tmp_path / "tunes").rename(tmp_path / "moved")
    moved = {uri: Uri(uri.replace("tunes/", "moved/")) for uri in player.database}
    player.database = {moved[uri]: seconds for uri, seconds in player.database.items()}

    assert await tunes.compare(player.database)

    for uri, identity in before.items():
        assert await stores.library.uris([identity]) == {identity: moved[uri]}
    assert (await stores.library.counts(STAMP)).missing == 0


async def test_a_tune_that_the_player_does_not_list_is_missing(
    tunes: Tunes, player: FakePlayer, stores: Stores
) -> None:
    await tunes.compare(player.database)

    assert await tunes.compare([MODULE])

    assert (await stores.library.counts(STAMP)).missing == 2
    assert await tunes.compare(player.database)
    assert (await stores.library.counts(STAMP)).missing == 0
