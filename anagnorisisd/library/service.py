"""When the library is scanned: at the start, periodically, and where the watcher reports changes.

A scan compares the stored files with those on disk, and reads only the ones that differ. A change
that the watcher reports leads to the same comparison of one file or directory. Files that disappear
are marked missing and never deleted, so that an unmounted disk costs only a rescan.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from anagnorisisd.clock import Clock
from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library import mpdignore
from anagnorisisd.library.change_importer import ChangeImporter, ScanProgress
from anagnorisisd.library.directory_walker import WHOLE_DIRECTORY, CopyPreference
from anagnorisisd.library.song_source import SongSource
from anagnorisisd.library.watcher import Watcher
from anagnorisisd.runtime.log_setup import LastMessage
from anagnorisisd.storage.library import LibraryStore

log = logging.getLogger(__name__)

RECHECK_SECONDS = 1.0
MAX_SCAN_RECHECKS = 5
"""How often a scan waits for files that are being written; then it leaves them to `run`."""
MOUNT_CHECK_SECONDS = 30.0
"""The interval of checks whether the music directory was mounted or unmounted."""
UNRESPONSIVE_SECONDS = 10.0
UNRESPONSIVE = (
    "the music directory does not respond; if it is a network share, check that it is available"
)
MAX_HINTS = 200
"""With more hints than this at once, the whole directory is scanned: that is less work."""


class LibraryService:
    """Keeps the library equal to the music directory, or to the songs of another source.

    `run` scans at the start, then every `rescan_minutes` and whenever the directory is mounted or
    unmounted, and follows the watcher's hints in between. `scan` may be called at any time.
    """

    def __init__(
        self,
        store: LibraryStore,
        source: SongSource,
        watcher: Watcher,
        *,
        events: Events,
        clock: Clock,
        config: Music,
    ) -> None:
        self._importer = ChangeImporter(store, source, events, clock)
        self._source = source
        self._watcher = watcher
        self._clock = clock
        self._store = store
        self._events = events
        self._preference = CopyPreference(config.prefer)
        self._copies_changed = asyncio.Event()
        self._rescan_seconds = config.rescan_minutes * 60
        self._scan_task: asyncio.Task[ScanProgress] | None = None
        self._progress = ScanProgress()
        self._progress_changed = asyncio.Event()
        self._inode: tuple[int, int] | None = None
        self._inode_checked = asyncio.Event()
        self._linked: Mapping[Uri, str] = {}
        self._rechecks = _UriSet()
        self._hinted_during_scan: set[Uri] = set()
        self._update_lock = asyncio.Lock()
        self._last_problem = LastMessage()

    def reconfigure(self, config: Music) -> None:
        """Apply a changed interval between scans, and a changed preference among copies."""
        self._rescan_seconds = config.rescan_minutes * 60
        self._preference = CopyPreference(config.prefer)
        self._copies_changed.set()

    @property
    def progress(self) -> ScanProgress:
        """The progress of the running or the latest scan."""
        return self._progress

    def path(self, uri: Uri) -> Path:
        """Return the absolute path of a file."""
        return self._source.path(uri)

    async def run(self) -> None:
        """Scan and watch until cancelled."""
        loops = [
            self._scan_periodically(),
            self._follow_hints(),
            self._recheck_recent_files(),
            self._check_mount(),
            self._order_copies(),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in [*tasks, *filter(None, [self._scan_task])]:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            await self._watcher.close()

    async def scan(self) -> AsyncIterator[ScanProgress]:
        """Scan the whole directory, or join the running scan; the last item yielded is `finished`.

        The scan continues if the caller stops iterating.

        Raises:
            StoreError: the differences cannot be stored.
        """
        task = self._scan_task
        if task is None or task.done():
            self._progress = ScanProgress()  # not that of the previous scan
            task = self._scan_task = asyncio.create_task(self._scan())
            task.add_done_callback(lambda _: self._notify_progress())
        while not task.done():
            changed = self._progress_changed
            yield self._progress
            await changed.wait()
        yield task.result()

    async def _scan_to_end(self) -> None:
        async for _ in self.scan():
            pass

    async def _scan_periodically(self) -> None:
        await self._next_inode_check()
        while True:
            inode = self._inode
            await self._scan_to_end()
            ended = self._clock.monotonic()
            while inode == self._inode and self._clock.monotonic() < ended + self._rescan_seconds:
                await self._next_inode_check()

    async def _next_inode_check(self) -> None:
        checked = self._inode_checked
        await checked.wait()

    async def _check_mount(self) -> None:
        """Read the inode of the directory periodically: it changes on mount and unmount."""
        while True:
            self._inode = await self._read_inode()
            checked, self._inode_checked = self._inode_checked, asyncio.Event()
            checked.set()
            await self._clock.rest(MOUNT_CHECK_SECONDS)

    async def _read_inode(self) -> tuple[int, int] | None:
        """Return the inode of the directory; log it if that hangs, as on a stale network share."""
        task = asyncio.create_task(self._source.inode())
        try:
            await asyncio.wait({task}, timeout=UNRESPONSIVE_SECONDS)
            if not task.done():
                self._log_problem(UNRESPONSIVE)
                await task
                self._log_problem(None)
            return task.result()
        finally:
            task.cancel()

    async def _follow_hints(self) -> None:
        while True:
            hints = _outermost({_concerned(uri) for uri in await self._watcher.hints()})
            if WHOLE_DIRECTORY in hints or len(hints) > MAX_HINTS:
                await self._scan_to_end()
            else:
                await self._update(hints)

    async def _recheck_recent_files(self) -> None:
        """Import files that were still being written when they were found."""
        while True:
            await self._rechecks.wait()
            await self._clock.sleep(RECHECK_SECONDS)
            await self._update(self._rechecks.take())

    async def _order_copies(self) -> None:
        """Store which copy of a track is preferred, after each import and configuration."""
        while True:
            await self._copies_changed.wait()
            self._copies_changed.clear()
            if await self._store.prefer(self._preference.rank):
                self._events.publish(LibraryChanged())

    async def _update(self, uris: Collection[Uri]) -> None:
        """Compare some files and directories with the library, and import the differences."""
        async with self._update_lock:
            differences = await self._importer.compare(uris)
            if differences.linked.keys() - self._linked.keys():
                await self._scan_to_end()
                return
            if self._scan_task is not None and not self._scan_task.done():
                self._hinted_during_scan.update(uris)
            recent = await self._importer.import_changes(
                differences, ScanProgress(), lambda _: None
            )
            self._rechecks.add(recent)
            self._copies_changed.set()

    async def _scan(self) -> ScanProgress:
        self._set_progress(ScanProgress())
        self._hinted_during_scan.clear()
        await self._watcher.watch(self._linked)
        differences = await self._importer.compare([WHOLE_DIRECTORY])
        self._log_problem(differences.problem)
        if differences.linked != self._linked:
            self._linked = differences.linked
            await self._watcher.watch(self._linked)
        unchanged = differences.unchanged + len(differences.returned)
        self._set_progress(ScanProgress(differences.found, unchanged, problem=differences.problem))
        recent = await self._importer.import_changes(
            differences, self._progress, self._set_progress
        )
        # The scan may have overwritten what a hint during it stored with an older state.
        self._rechecks.add(await self._wait_until_written(recent | self._hinted_during_scan))
        self._copies_changed.set()
        self._set_progress(replace(self._progress, finished=True))
        return self._progress

    async def _wait_until_written(self, recent: set[Uri]) -> set[Uri]:
        """Import files once nobody writes to them; return those for which that takes too long."""
        for _ in range(MAX_SCAN_RECHECKS):
            if not recent:
                break
            await self._clock.sleep(RECHECK_SECONDS)
            differences = await self._importer.compare(recent)
            recent = await self._importer.import_changes(
                differences, self._progress, self._set_progress
            )
        return recent

    def _set_progress(self, progress: ScanProgress) -> None:
        self._progress = progress
        self._notify_progress()

    def _notify_progress(self) -> None:
        self._progress_changed.set()
        self._progress_changed = asyncio.Event()

    def _log_problem(self, problem: str | None) -> None:
        """Log when the directory becomes unreadable, and when it is readable again."""
        if self._last_problem.changes_to(problem):
            log.warning("%s", problem or f"{self._source.name} can be read again")


class _UriSet:
    """A set of URIs that can be waited for."""

    def __init__(self) -> None:
        self._uris: set[Uri] = set()
        self._not_empty = asyncio.Event()

    def add(self, uris: Collection[Uri]) -> None:
        self._uris.update(uris)
        if self._uris:
            self._not_empty.set()

    async def wait(self) -> None:
        await self._not_empty.wait()

    def take(self) -> set[Uri]:
        taken, self._uris = self._uris, set()
        self._not_empty.clear()
        return taken


def _concerned(uri: Uri) -> Uri:
    """Return what a change of `uri` concerns: of a `.mpdignore` file, its directory."""
    parent, _, name = uri.rpartition("/")
    return Uri(parent) if name.encode(errors="replace") == mpdignore.FILE_NAME else uri


def _outermost(uris: Collection[Uri]) -> set[Uri]:
    """Return `uris` without those that are below another one of them."""
    return {uri for uri in uris if not any(parent in uris for parent in _parents(uri))}


def _parents(uri: Uri) -> Iterator[Uri]:
    parts = uri.split("/")
    return (Uri("/".join(parts[:end])) for end in range(1, len(parts)))
