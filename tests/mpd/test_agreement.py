"""Whether the library has the songs that a real MPD lists, and no others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import Events
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.watcher import NoWatcher
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.clock import FakeClock
from tests.support.ignored import write_ignored
from tests.support.library import places
from tests.support.media import age
from tests.support.mpd import Mpd, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mpd]:
    folder = tmp_path_factory.mktemp("agreement")
    write_ignored(folder / "music")
    for path in folder.rglob("*.ogg"):
        age(path)
    with running(folder) as mpd:
        yield mpd


async def test_library_has_the_songs_that_mpd_lists(
    server: Mpd, stores: Stores, clock: FakeClock
) -> None:
    config = Music()
    workers = WorkerPool(
        name="reading", size=2, idle_seconds=5, executors=partial(ThreadPoolExecutor, 1)
    )
    library = LibraryService(
        stores.library,
        MusicDirectory(server.music, config, workers),
        NoWatcher(),
        events=Events(clock),
        clock=clock,
        config=config,
    )
    async for _ in library.scan():
        pass
    await workers.close()

    unusable = dict(await stores.library.unusable_files())
    tracks = places(await stores.library.present_files()) - unusable.keys()

    assert tracks == set((await server.ask("listall")).splitlines())
    assert unusable[Uri("names/.mpdignore")] == "MPD ignores what it names: 2 files and 1 directory"
