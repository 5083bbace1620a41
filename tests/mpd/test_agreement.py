"""Whether the library has the songs that a real MPD lists, and picks no others."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import Events
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.player_database import PlayerDatabase
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.tunes import Tunes
from anagnorisisd.library.watcher import NoWatcher
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.clock import FakeClock
from tests.support import trixie_mpd
from tests.support.connected_player import watching
from tests.support.cue_sheets import write_cue_sheets
from tests.support.ignored import write_ignored
from tests.support.library import STAMP, places
from tests.support.media import age, write_song
from tests.support.mpd import Mpd, running
from tests.support.tunes import write_tunes

pytestmark = pytest.mark.slow

NOT_LISTED = "fallen/between.ogg"
"""Is in the library, and hidden from MPD behind a link that it does not follow."""


@pytest.fixture(scope="module", params=["0.23", "0.24"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mpd]:
    """MPD 0.23 as installed, and 0.24 of Debian trixie."""
    folder = tmp_path_factory.mktemp("agreement")
    write_ignored(folder / "music")
    write_cue_sheets(folder / "music")
    write_tunes(folder / "music")
    write_song(folder / "elsewhere" / "between.ogg", 99)
    (folder / "music" / "fallen").symlink_to(folder / "elsewhere")
    for path in folder.rglob("*"):
        if path.is_file():
            age(path)
    program = trixie_mpd.command() if request.param == "0.24" else ("mpd",)
    with running(folder, program=program, extra='follow_outside_symlinks "no"') as mpd:
        yield mpd


@pytest.fixture
async def workers() -> AsyncIterator[WorkerPool]:
    """Readers that are threads."""
    workers = WorkerPool(
        name="reading", size=2, idle_seconds=5, executors=partial(ThreadPoolExecutor, 1)
    )
    yield workers
    await workers.close()


@pytest.fixture
async def library(
    server: Mpd, stores: Stores, clock: FakeClock, workers: WorkerPool
) -> LibraryService:
    """A library that was scanned."""
    config = schema.Music()
    service = LibraryService(
        stores.library,
        MusicDirectory(server.music, config, workers),
        NoWatcher(),
        events=Events(clock),
        clock=clock,
        config=config,
    )
    async for _ in service.scan():
        pass
    return service


async def candidates(stores: Stores) -> set[str]:
    """Return the URIs of the tracks that can be picked."""
    found = await stores.library.candidates()
    ids = [found.track_id(row) for row in range(len(found))]
    return set((await stores.library.uris(ids)).values())


async def titles(stores: Stores, folder: str) -> dict[str, str]:
    """Return the titles of the tracks below a folder, by URI."""
    found = await stores.library.tracks(STAMP, text=folder, limit=100)
    return {track.uri: track.title for track in found}


async def test_library_and_mpd_agree(
    server: Mpd,
    library: LibraryService,
    stores: Stores,
    clock: FakeClock,
    workers: WorkerPool,
) -> None:
    listed = set((await server.ask("listall")).splitlines())
    unusable = dict(await stores.library.unusable_files())
    config = schema.Mpd(address=str(server.socket), timeout_seconds=20)
    async with watching(config, server.music) as watched:
        await watched.connected()
        player = watched.player
        tunes = Tunes(
            stores.library,
            player,
            server.music,
            config=schema.Music(),
            workers=workers,
            clock=clock,
        )
        database = PlayerDatabase(
            stores.library, player, library.path, Events(clock), clock, tunes=tunes
        )
        await database.compare()
        while "updating" in database.unlisted.reason:  # it was asked to look once more
            await database.compare()

        # What MPD lists has a track, each under its name, and nothing else can be picked.
        unknown = [uri for uri in listed if await stores.library.track_at(Uri(uri)) is None]
        assert unknown == []
        tracks = {await stores.library.track_at(Uri(uri)) for uri in listed}
        found = await stores.library.candidates()
        assert {found.track_id(row) for row in range(len(found))} == tracks
        assert await candidates(stores) <= listed
        for uri in await candidates(stores):
            await player.enqueue(Uri(uri))

    assert (database.unlisted.tracks, "'fallen'" in database.unlisted.reason) == (1, True)
    assert "follow_outside_symlinks" in database.unlisted.reason
    assert unusable[Uri("names/.mpdignore")] == "MPD ignores what it names: 2 files and 1 directory"
    assert {uri for uri in unusable if uri.endswith(".cue")} == {
        f"{name}/a.cue"
        for name in (
            "marked file", "utf16", "latin", "extension", "case", "windows", "missing", "garbage",
            "empty",            "no tracks", "binary", "ignored audio",
        )
    }  # fmt: skip
    assert await titles(stores, "tunes/") == {
        "tunes/a.mod": "Module",
        "tunes/B.MOD": "Upper case",
        "tunes/one.nsf": "one",
        "tunes/two.nsf/tune_001.nsf": "two (1)",
        "tunes/two.nsf/tune_002.nsf": "two (2)",
        "tunes/three.sid/tune_001.sid": "Three tunes (1/3)",
        "tunes/three.sid/tune_002.sid": "Three tunes (2/3)",
        "tunes/three.sid/tune_003.sid": "Three tunes (3/3)",
    }
    assert NOT_LISTED in places(await stores.library.present_files())


async def test_parts_have_the_durations_that_mpd_tells(
    server: Mpd, library: LibraryService, stores: Stores
) -> None:
    lines = (await server.ask("listall", "-f", "%file%\t%time%")).splitlines()
    times = dict(line.split("\t") for line in lines if ".cue/" in line and "beyond" not in line)

    for uri, text in times.items():
        if not text:
            continue
        minutes, seconds = map(int, text.split(":"))
        ours = await stores.library.duration_at(Uri(uri))
        told = 60 * minutes + seconds
        # MPD believes an index beyond the end of the file.
        assert ours == pytest.approx(told, abs=0.6) or told > 60, uri
