"""The library over a real folder, a real store and real files."""

# ruff: noqa: ASYNC240 - what a test does to its own folder takes no time

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import SeenFile, TrackId, Uri
from anagnorisisd.events import Events
from anagnorisisd.library import music_directory as folder_module
from anagnorisisd.library import service as library_module
from anagnorisisd.library.change_importer import ScanProgress
from anagnorisisd.library.directory_walker import WHOLE_DIRECTORY, Differences
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.watcher import InotifyWatcher, NoWatcher
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.clock import FakeClock
from tests.support.folder import as_nobody
from tests.support.library import places
from tests.support.media import FORMATS, encoded, retag, write_song
from tests.support.until import until

CONFIG = Music(rescan_minutes=60)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
async def workers() -> AsyncIterator[WorkerPool]:
    """Threads in the place of processes: what is read is the same, and they start at once."""
    pool = WorkerPool(
        name="reading", size=2, idle_seconds=5, executors=partial(ThreadPoolExecutor, 1)
    )
    yield pool
    await pool.close()


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
def library(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> LibraryService:
    folder = MusicDirectory(root, CONFIG, workers)
    return LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
    )


async def scan(library: LibraryService) -> ScanProgress:
    progress = ScanProgress()
    async for progress in library.scan():  # noqa: B007 - the last one is the result
        pass
    return progress


async def problems(stores: Stores) -> dict[str, str]:
    return dict(await stores.library.unusable_files())


async def track_at(stores: Stores, uri: str) -> TrackId:
    track_id = await stores.library.track_at(Uri(uri))
    assert track_id is not None
    return track_id


async def present(stores: Stores) -> set[str]:
    """Return the uris of all usable files that are there."""
    unusable = await problems(stores)
    return {uri for uri in places(await stores.library.present_files()) if uri not in unusable}


async def test_scan_imports_all_formats(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    for seed, extension in enumerate(FORMATS):
        write_song(root / "Artist" / f"song.{extension}", seed)
    (root / "Artist" / "cover.jpg").write_bytes(b"jpeg")

    progress = await scan(library)

    assert progress == ScanProgress(
        found=len(FORMATS), read=len(FORMATS), added=len(FORMATS), finished=True
    )
    assert len(await present(stores)) == len(FORMATS)
    assert library.path(Uri("Artist/song.ogg")) == root / "Artist" / "song.ogg"


async def test_second_scan_reads_nothing(library: LibraryService, root: Path) -> None:
    for seed in range(3):
        write_song(root / f"{seed}.opus", seed)
    await scan(library)

    steps = [step async for step in library.scan()]

    assert steps[0] == ScanProgress()
    assert steps[-1] == ScanProgress(found=3, unchanged=3, finished=True)


async def test_unchanged_files_are_not_opened(library: LibraryService, root: Path) -> None:
    song = write_song(root / "song.opus")
    await scan(library)
    status = song.stat()
    song.write_bytes(bytes(status.st_size))
    os.utime(song, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert (await scan(library)).unusable == 0


@pytest.mark.parametrize("extension", FORMATS)
async def test_moved_and_retagged_file_is_the_same_track(
    extension: str, library: LibraryService, stores: Stores, root: Path
) -> None:
    song = write_song(root / f"song.{extension}")
    await scan(library)
    before = await track_at(stores, song.name)
    await stores.ratings.rate(before, 9.0, at=1.0, source="test")

    retag(song, "Another title", cover=True)
    os.utime(song, (1_000_000_000, 1_000_000_000))
    (root / "elsewhere").mkdir()
    song.rename(root / "elsewhere" / f"renamed.{extension}")
    progress = await scan(library)

    assert (progress.added, progress.moved, progress.missing) == (0, 1, 0)
    assert await track_at(stores, f"elsewhere/renamed.{extension}") == before
    assert (await stores.ratings.current())[before].value == 9.0
    assert await present(stores) == {f"elsewhere/renamed.{extension}"}


async def test_two_files_with_the_same_audio_are_one_track(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    song = write_song(root / "a.flac")
    copy = Path(shutil.copy2(song, root / "b.flac"))
    retag(copy, "A copy")
    os.utime(copy, (1_000_000_000, 1_000_000_000))

    progress = await scan(library)

    assert (progress.found, progress.added) == (2, 1)
    assert await track_at(stores, "a.flac") == await track_at(stores, "b.flac")


async def test_other_audio_at_the_same_path_is_another_track(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    write_song(root / "song.wav", seed=1)
    await scan(library)
    before = await track_at(stores, "song.wav")

    os.utime(write_song(root / "song.wav", seed=2, seconds=0.7), (1_000_000_000, 1_000_000_000))
    progress = await scan(library)

    assert progress.added == 1
    assert await track_at(stores, "song.wav") != before


async def test_unusable_files_have_reasons(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    write_song(root / "good.mp3")
    (root / "empty.mp3").touch()
    (root / "letter.flac").write_text("Dear Sir, " * 100)
    (root / "cut.m4a").write_bytes(encoded("m4a", seconds=2)[:9000])
    (root / "broken.ogg").symlink_to("nowhere")
    (root / "loop.ogg").symlink_to("loop.ogg")
    (root / "up").symlink_to("..")
    os.mkfifo(root / "pipe.wav")
    odd_names = [b"\xff\xfe.mp3", b"two\nlines.mp3", b"n" * 251 + b".mp3"]
    for seed, name in enumerate(odd_names):
        write_song(root / os.fsdecode(name), seed + 1)
    for path in root.iterdir():
        if path.is_file():
            os.utime(path, (1_000_000_000, 1_000_000_000))

    progress = await scan(library)

    reasons = await problems(stores)
    assert await present(stores) == {"good.mp3", *map(os.fsdecode, odd_names)}
    assert progress.unusable == len(reasons) == 6
    assert reasons["empty.mp3"] == "empty file"
    assert reasons["letter.flac"].startswith("not audio")
    assert reasons["cut.m4a"].startswith("truncated")
    assert reasons["broken.ogg"] == "not found"
    assert reasons["loop.ogg"] == "a symbolic link that leads to itself"
    assert reasons["pipe.wav"] == "not a regular file"


async def test_file_is_imported_after_permission_is_granted(
    library: LibraryService, stores: Stores, root: Path, tmp_path: Path
) -> None:
    song = write_song(root / "song.mp3")
    song.chmod(0)
    with as_nobody(tmp_path):
        assert (await scan(library)).unusable == 1
    assert await problems(stores) == {"song.mp3": "permission denied"}

    song.chmod(0o644)

    assert (await scan(library)).added == 1
    assert await problems(stores) == {}


async def test_directory_disappears_and_returns(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    for seed in range(3):
        write_song(root / f"{seed}.opus", seed)
    await scan(library)
    before = await track_at(stores, "1.opus")

    root.rename(root.with_name("unmounted"))
    away = await scan(library)
    kept = await stores.library.track_at(Uri("1.opus"))
    nothing = await present(stores)
    root.with_name("unmounted").rename(root)
    back = await scan(library)

    assert (away.found, away.missing) == (0, 3)
    assert str(root) in (away.problem or "")
    assert kept == before
    assert nothing == set()
    assert back == ScanProgress(found=3, unchanged=3, finished=True), (
        "nothing needs to be read again"
    )
    assert await present(stores) == {"0.opus", "1.opus", "2.opus"}


async def test_empty_mount_point_deletes_nothing(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    song = write_song(root / "song.opus")
    await scan(library)
    away = song.rename(root.with_name("song.opus"))

    assert (await scan(library)).missing == 1
    away.rename(song)
    await scan(library)

    assert await present(stores) == {"song.opus"}


async def test_scan_waits_for_a_file_that_is_being_written(
    library: LibraryService, stores: Stores, root: Path, clock: FakeClock
) -> None:
    whole = encoded("mp3", seconds=2)
    growing = root / "growing.mp3"
    write_song(root / "ready.opus")

    def write(share: float) -> None:
        growing.write_bytes(whole[: int(len(whole) * share)])
        os.utime(growing, (clock.now(), clock.now()))

    write(0.3)
    scanning = asyncio.create_task(scan(library))
    for share in (0.6, 1.0):
        await asleep(clock)
        assert await present(stores) == {"ready.opus"}
        write(share)
        await clock.advance(1)
    while not scanning.done():
        await asleep(clock, scanning)
        await clock.advance(1)

    assert (await scanning).unusable == 0
    assert await present(stores) == {"ready.opus", "growing.mp3"}


async def asleep(clock: FakeClock, task: asyncio.Task[ScanProgress] | None = None) -> None:
    """Return when somebody waits for time to pass, or `task` is done."""
    deadline = time.monotonic() + 60
    while not (clock.sleepers or (task and task.done())):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_second_scan_joins_the_first(library: LibraryService, root: Path) -> None:
    for seed in range(5):
        write_song(root / f"{seed}.opus", seed)

    first, second = await asyncio.gather(scan(library), scan(library))

    assert first == second
    assert first.added == 5


async def test_scan_continues_after_its_caller_stops(
    library: LibraryService, stores: Stores, root: Path
) -> None:
    write_song(root / "song.opus")

    async for _ in library.scan():
        break
    await scan(library)

    assert await present(stores) == {"song.opus"}


async def test_event_for_new_tracks(library: LibraryService, events: Events, root: Path) -> None:
    write_song(root / "song.opus")

    with events.subscribe() as subscription:
        await scan(library)
        announcement = await subscription.next()

    assert len(getattr(announcement.event, "added", ())) == 1


async def test_files_are_read_by_worker_processes(
    root: Path, stores: Stores, events: Events, clock: FakeClock
) -> None:
    for seed in range(3):
        write_song(root / f"{seed}.opus", seed)
    workers = WorkerPool(name="reading", size=1, idle_seconds=5)
    folder = MusicDirectory(root, CONFIG, workers)
    library = LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
    )

    assert (await scan(library)).added == 3
    await workers.close()


@pytest.mark.parametrize("year", [-200, 400, 100_000])
async def test_file_with_an_absurd_modification_time(
    library: LibraryService, stores: Stores, root: Path, year: int
) -> None:
    absurd = write_song(root / "absurd.opus", 1)
    write_song(root / "usual.opus", 2)
    seconds = year * 365 * 86_400
    os.utime(absurd, (seconds, seconds))

    assert (await scan(library)).added == 2
    assert (await scan(library)).read == 0


class Fragile(ThreadPoolExecutor):
    """An executor that breaks whenever it is to read the file called `fatal.mp3`."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Hand `fn` to the thread, or break as a pool does whose process died."""
        if "fatal.mp3" in str(args):
            broken: Future[object] = Future()
            broken.set_exception(BrokenExecutor())
            return broken
        return super().submit(fn, *args, **kwargs)


async def test_reader_crash_affects_one_file(
    root: Path, stores: Stores, events: Events, clock: FakeClock
) -> None:
    for name in ("1", "fatal", "2"):
        write_song(root / f"{name}.mp3", seed=len(name))
    workers = WorkerPool(name="reading", size=1, idle_seconds=5, executors=partial(Fragile, 1))
    folder = MusicDirectory(root, CONFIG, workers)
    library = LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
    )

    await scan(library)

    assert await present(stores) == {"1.mp3", "2.mp3"}
    assert set(await problems(stores)) == {"fatal.mp3"}
    await workers.close()


@pytest.fixture
async def fragile(root: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkerPool]:
    """Real processes, of which each dies that is to read a file called fatal."""
    monkeypatch.setattr(folder_module, "READ_FUNCTION", "tests.support.jobs:read_until_death")
    pool = WorkerPool(name="reading", size=2, idle_seconds=5)
    yield pool
    await pool.close()


@pytest.mark.slow
async def test_retries_after_a_reader_crash_are_rare(
    root: Path, stores: Stores, events: Events, clock: FakeClock, fragile: WorkerPool
) -> None:
    async def scanned() -> int:
        """Return how many files a new daemon's scan reads."""
        folder = MusicDirectory(root, CONFIG, fragile)
        library = LibraryService(
            stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
        )
        return (await scan(library)).read

    write_song(root / "1.mp3", seed=1)
    fatal = write_song(root / "fatal.mp3", seed=2)
    assert await scanned() == 2
    assert set(await problems(stores)) == {"fatal.mp3"}
    assert "died" in (await problems(stores))["fatal.mp3"]

    assert await scanned() == 0
    clock.jump(23 * 3600)
    assert await scanned() == 0
    clock.jump(3600)
    assert await scanned() == 1
    clock.jump(6 * 24 * 3600)
    assert await scanned() == 0
    clock.jump(24 * 3600)
    assert await scanned() == 1

    write_song(fatal, seed=3, seconds=1)
    assert await scanned() == 1
    fatal.rename(root / "harmless.mp3")
    assert await scanned() == 1
    assert await present(stores) == {"1.mp3", "harmless.mp3"}
    assert await problems(stores) == {}


@pytest.mark.slow
async def test_no_retry_after_a_reader_crash_when_the_disk_returns(
    root: Path, stores: Stores, events: Events, clock: FakeClock, fragile: WorkerPool
) -> None:
    folder = MusicDirectory(root, CONFIG, fragile)
    library = LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
    )
    write_song(root / "disk" / "1.mp3", seed=1)
    write_song(root / "disk" / "fatal.mp3", seed=2)
    await scan(library)

    (root / "disk").rename(root.with_name("away"))
    await scan(library)
    assert await problems(stores) == {}
    root.with_name("away").rename(root / "disk")
    reader = await reading_process(fragile)
    await scan(library)

    assert set(await problems(stores)) == {"disk/fatal.mp3"}
    assert await reading_process(fragile) == reader


async def reading_process(pool: WorkerPool) -> int:
    """Return the process that reads now; another one does when it died."""
    return int(await pool.run("tests.support.jobs:pid"))


async def test_hanging_file_delays_no_other(
    root: Path, stores: Stores, events: Events, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging: list[Future[object]] = []

    class Hanging(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            """Hand `fn` to the thread, or never answer."""
            if "fatal.mp3" in str(args):
                hanging.append(Future())
                return hanging[-1]
            return super().submit(fn, *args, **kwargs)

    monkeypatch.setattr(folder_module, "BATCH_TIMEOUT_SECONDS", 0.1)
    pool = WorkerPool(name="reading", size=2, idle_seconds=5, executors=partial(Hanging, 1))
    folder = MusicDirectory(root, CONFIG, pool)
    library = LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
    )
    for name in ("1", "fatal", "2"):
        write_song(root / f"{name}.mp3", seed=len(name) + ord(name[0]))

    scanning = asyncio.create_task(scan(library))
    await until_present(stores, "1.mp3", "2.mp3")
    assert not scanning.done()
    monkeypatch.setattr(folder_module, "FILE_TIMEOUT_SECONDS", 0.1)
    for answer in hanging:
        if not answer.done():
            answer.set_exception(BrokenExecutor())
    await scanning

    assert set(await problems(stores)) == {"fatal.mp3"}
    await pool.close()


async def running(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> tuple[LibraryService, asyncio.Task[None]]:
    """Return a library that runs, watches, and has made its first scan."""
    folder = MusicDirectory(root, CONFIG, workers)
    library = LibraryService(
        stores.library, folder, InotifyWatcher(root), events=events, clock=clock, config=CONFIG
    )
    task = asyncio.create_task(library.run())
    await scan(library)
    return library, task


async def until_present(stores: Stores, *uris: str) -> None:
    deadline = time.monotonic() + 60
    while (there := await present(stores)) != set(uris):
        assert time.monotonic() < deadline, there
        await asyncio.sleep(0.02)


async def until_unusable(stores: Stores, *uris: str) -> None:
    """Wait until these have a problem; it is stored after the files that it hides."""
    deadline = time.monotonic() + 60
    while (there := (await problems(stores)).keys()) != set(uris):
        assert time.monotonic() < deadline, there
        await asyncio.sleep(0.02)


async def test_watcher_updates_the_library(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> None:
    write_song(root / "a" / "1.opus", 1)
    _, task = await running(root, workers, stores, events, clock)
    await until_present(stores, "a/1.opus")

    write_song(root / "b" / "2.opus", 2)
    await until_present(stores, "a/1.opus", "b/2.opus")
    (root / "a" / "1.opus").rename(root / "b" / "one.opus")
    await until_present(stores, "b/one.opus", "b/2.opus")
    (root / "b").rename(root / "a" / "c")
    await until_present(stores, "a/c/one.opus", "a/c/2.opus")
    shutil.rmtree(root / "a")
    await until_present(stores)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_mpdignore_file_hides_and_shows_a_directory(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> None:
    for number in (1, 2):
        write_song(root / "a" / str(number) / "song.opus", number)
    _, task = await running(root, workers, stores, events, clock)

    (root / "a" / ".mpdignore").write_text("2\n")
    await until_present(stores, "a/1/song.opus")
    await until_unusable(stores, "a/.mpdignore")
    assert "1 directory" in (await problems(stores))["a/.mpdignore"]
    (root / "a" / ".mpdignore").unlink()
    await until_present(stores, "a/1/song.opus", "a/2/song.opus")
    await until_unusable(stores)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_change_below_a_linked_directory(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> None:
    disk = root.with_name("disk")
    write_song(disk / "1.opus", 1)
    (root / "link").symlink_to(disk)
    _, task = await running(root, workers, stores, events, clock)
    await until_present(stores, "link/1.opus")

    write_song(disk / "2.opus", 2)
    await until_present(stores, "link/1.opus", "link/2.opus")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_returning_directory_is_scanned_and_watched(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> None:
    write_song(root / "1.opus", 1)
    _, task = await running(root, workers, stores, events, clock)

    root.rename(root.with_name("unmounted"))
    await clock.advance(31)
    await until_present(stores)
    root.with_name("unmounted").rename(root)
    await asleep(clock)
    await clock.advance(31)
    await until_present(stores, "1.opus")
    write_song(root / "2.opus", 2)
    await until_present(stores, "1.opus", "2.opus")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_changed_scan_interval_applies_at_once(
    library: LibraryService, stores: Stores, root: Path, clock: FakeClock
) -> None:
    task = asyncio.create_task(library.run())
    await scan(library)
    await asleep(clock)
    write_song(root / "late.opus", 1)

    library.reconfigure(Music(rescan_minutes=1))
    await clock.advance(61)

    await until_present(stores, "late.opus")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Slow(MusicDirectory):
    """A folder that takes two minutes to be compared."""

    def __init__(self, root: Path, workers: WorkerPool, clock: FakeClock) -> None:
        super().__init__(root, CONFIG, workers)
        self.compared = 0
        self._slow = clock

    async def compare(
        self, stored: AbstractSet[SeenFile], below: Uri = WHOLE_DIRECTORY
    ) -> Differences:
        """Compare, and let two minutes pass."""
        self._slow.jump(120)
        self.compared += 1
        return await super().compare(stored, below)


async def test_pause_after_a_scan_longer_than_the_interval(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> None:
    folder = Slow(root, workers, clock)
    often = Music(rescan_minutes=1)
    library = LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=often
    )

    task = asyncio.create_task(library.run())
    await until(lambda: library.progress.finished and folder.compared == 1)
    await clock.advance(30)
    assert folder.compared == 1
    await clock.advance(31)
    await until(lambda: folder.compared == 2)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Silent(MusicDirectory):
    """A folder on a share that has gone stale: it answers nobody until it is let go on."""

    def __init__(self, root: Path, config: Music, workers: WorkerPool) -> None:
        super().__init__(root, config, workers)
        self.answering = asyncio.Event()

    async def inode(self) -> tuple[int, int] | None:
        """Return where it is, some time."""
        await self.answering.wait()
        return await super().inode()


async def test_unresponsive_directory_is_logged_and_waited_for(
    root: Path,
    workers: WorkerPool,
    stores: Stores,
    events: Events,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(library_module, "UNRESPONSIVE_SECONDS", 0.01)
    folder = Silent(root, CONFIG, workers)
    write_song(root / "1.opus", 1)
    library = LibraryService(
        stores.library, folder, NoWatcher(), events=events, clock=clock, config=CONFIG
    )

    task = asyncio.create_task(library.run())
    await until(lambda: "does not respond" in caplog.text)
    folder.answering.set()
    await until(lambda: "can be read again" in caplog.text)
    await until_present(stores, "1.opus")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_periodic_scan_finds_changes_without_hints(
    root: Path, library: LibraryService, stores: Stores, clock: FakeClock
) -> None:
    task = asyncio.create_task(library.run())
    await asleep(clock)
    await until(lambda: library.progress.finished)

    write_song(root / "1.opus", 1)
    await clock.advance(CONFIG.rescan_minutes * 60 + 1)
    await until_present(stores, "1.opus")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_preferred_copy_is_picked(
    root: Path, workers: WorkerPool, stores: Stores, events: Events, clock: FakeClock
) -> None:
    for uri in ("Albums/1.flac", "Samplers/x.flac", "b/1.flac"):
        write_song(root / uri, 1)
    library, task = await running(root, workers, stores, events, clock)
    track_id = await track_at(stores, "b/1.flac")

    async def until_picked(uri: str) -> None:
        deadline = time.monotonic() + 20
        while (await stores.library.uris([track_id]))[track_id] != uri:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    await until_picked("Albums/1.flac")
    library.reconfigure(Music(prefer=("x.flac", "b/*")))
    await until_picked("Samplers/x.flac")
    (root / "Samplers" / "x.flac").unlink()
    await until_picked("b/1.flac")
    write_song(root / "new" / "x.flac", 1)
    await until_picked("new/x.flac")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
