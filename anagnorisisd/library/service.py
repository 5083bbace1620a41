"""The library: brought in line with the music folder by scans, and kept so by hints.

A scan compares what is known with what is there and reads only what differs. A hint makes the
same comparison for one file or folder. Files which vanish are marked missing; nothing is ever
deleted, so that a disk which was not mounted costs nothing but a rescan.
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
from anagnorisisd.events import Events
from anagnorisisd.library.import_changes import ChangeImporter
from anagnorisisd.library.interfaces import WHOLE_FOLDER, MusicDirectoryReader, Watcher
from anagnorisisd.library.scan_progress import ScanProgress
from anagnorisisd.storage.library import LibraryStore

log = logging.getLogger(__name__)

RECHECK_SECONDS = 1.0
PATIENT_RECHECKS = 5
"""So often a scan looks at files in the making again; then they are left to `run`."""
FOLDER_CHECK_SECONDS = 30.0
"""So often it is asked whether something was mounted or unmounted at the music folder."""
SILENT_SECONDS = 10.0
SILENT = (
    "the music folder does not answer; if it is a network share, look whether that is still there"
)
MANY_HINTS = 200
"""From so many on, one look at the whole folder is less work."""


class LibraryService:
    """Keeps the stored library and the music folder in line.

    `run` scans at the start, then every `rescan_minutes` and whenever the folder comes or goes,
    and follows the watcher's hints in between. `scan` may be called at any time.
    """

    def __init__(
        self,
        store: LibraryStore,
        folder: MusicDirectoryReader,
        watcher: Watcher,
        *,
        events: Events,
        clock: Clock,
        config: Music,
    ) -> None:
        self._intake = ChangeImporter(store, folder, events, clock)
        self._folder = folder
        self._watcher = watcher
        self._clock = clock
        self._rescan_seconds = config.rescan_minutes * 60
        self._scanning: asyncio.Task[ScanProgress] | None = None
        self._progress = ScanProgress()
        self._advanced = asyncio.Event()
        self._place: tuple[int, int] | None = None
        self._looked = asyncio.Event()
        self._linked: Mapping[Uri, str] = {}
        self._later = _Later()
        self._hinted_meanwhile: set[Uri] = set()
        self._one_look = asyncio.Lock()
        self._said: str | None = None

    def reconfigure(self, config: Music) -> None:
        """Take over when the next scan is due."""
        self._rescan_seconds = config.rescan_minutes * 60

    @property
    def progress(self) -> ScanProgress:
        """How far the present scan is, or the last one came."""
        return self._progress

    def path(self, uri: Uri) -> Path:
        """Return where a file lies."""
        return self._folder.path(uri)

    async def run(self) -> None:
        """Scan and watch until cancelled."""
        parts = [
            self._scan_regularly(),
            self._follow_hints(),
            self._look_again(),
            self._look_after_the_folder(),
        ]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in [*tasks, *filter(None, [self._scanning])]:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            await self._watcher.close()

    async def scan(self) -> AsyncIterator[ScanProgress]:
        """Scan the whole folder, or join the scan that is under way; the last word is `done`.

        A caller who stops listening does not stop the scan.

        Raises:
            StoreError: what was found cannot be stored.
        """
        task = self._scanning
        if task is None or task.done():
            self._progress = ScanProgress()  # Not what the last scan came to.
            task = self._scanning = asyncio.create_task(self._scan())
            task.add_done_callback(lambda _: self._wake())
        while not task.done():
            advanced = self._advanced
            yield self._progress
            await advanced.wait()
        yield task.result()

    async def _scan_to_end(self) -> None:
        async for _ in self.scan():
            pass

    async def _scan_regularly(self) -> None:
        await self._next_look()
        while True:
            place = self._place
            await self._scan_to_end()
            ended = self._clock.monotonic()
            while place == self._place and self._clock.monotonic() < ended + self._rescan_seconds:
                await self._next_look()

    async def _next_look(self) -> None:
        """Wait until the folder was looked after once more."""
        looked = self._looked
        await looked.wait()

    async def _look_after_the_folder(self) -> None:
        """See now and then where the folder is, for something may be (un)mounted there."""
        while True:
            self._place = await self._whereabouts()
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            await self._clock.rest(FOLDER_CHECK_SECONDS)

    async def _whereabouts(self) -> tuple[int, int] | None:
        """Ask where the folder is; say when it does not even answer that, as a dead share does."""
        looking = asyncio.create_task(self._folder.whereabouts())
        try:
            await asyncio.wait({looking}, timeout=SILENT_SECONDS)
            if not looking.done():
                self._say(SILENT)
                await looking
                self._say(None)
            return looking.result()
        finally:
            looking.cancel()

    async def _follow_hints(self) -> None:
        while True:
            hints = _outermost(await self._watcher.hints())
            if WHOLE_FOLDER in hints or len(hints) > MANY_HINTS:
                await self._scan_to_end()
            else:
                await self._look_at(hints)

    async def _look_again(self) -> None:
        """Take care of files that were still in the making."""
        while True:
            await self._later.any()
            await self._clock.sleep(RECHECK_SECONDS)
            await self._look_at(self._later.take())

    async def _look_at(self, uris: Collection[Uri]) -> None:
        """Bring some files and folders in line."""
        async with self._one_look:
            found = await self._intake.compare(uris)
            if found.linked.keys() - self._linked.keys():
                await self._scan_to_end()
                return
            if self._scanning is not None and not self._scanning.done():
                self._hinted_meanwhile.update(uris)
            self._later.add(await self._intake.take_in(found, ScanProgress(), lambda _: None))

    async def _scan(self) -> ScanProgress:
        self._advance(ScanProgress())
        self._hinted_meanwhile.clear()
        await self._watcher.watch(self._linked)
        found = await self._intake.compare([WHOLE_FOLDER])
        self._say(found.problem)
        if found.linked != self._linked:
            self._linked = found.linked
            await self._watcher.watch(self._linked)
        unchanged = found.unchanged + len(found.returned)
        self._advance(ScanProgress(found.found, unchanged, problem=found.problem))
        young = await self._intake.take_in(found, self._progress, self._advance)
        # What was hinted at meanwhile may have been stored, and then overtaken by this scan.
        self._later.add(await self._wait_for(young | self._hinted_meanwhile))
        self._advance(replace(self._progress, done=True))
        return self._progress

    async def _wait_for(self, young: set[Uri]) -> set[Uri]:
        """Look at files in the making until they are done; return those that take too long."""
        for _ in range(PATIENT_RECHECKS):
            if not young:
                break
            await self._clock.sleep(RECHECK_SECONDS)
            found = await self._intake.compare(young)
            young = await self._intake.take_in(found, self._progress, self._advance)
        return young

    def _advance(self, progress: ScanProgress) -> None:
        self._progress = progress
        self._wake()

    def _wake(self) -> None:
        """Let those who follow the scan look at the progress."""
        self._advanced.set()
        self._advanced = asyncio.Event()

    def _say(self, problem: str | None) -> None:
        """Tell once that the folder is away or back."""
        if problem != self._said:
            self._said = problem
            log.warning("%s", problem or "the music folder can be read again")


class _Later:
    """Files to look at again."""

    def __init__(self) -> None:
        self._uris: set[Uri] = set()
        self._any = asyncio.Event()

    def add(self, uris: Collection[Uri]) -> None:
        self._uris.update(uris)
        if self._uris:
            self._any.set()

    async def any(self) -> None:
        await self._any.wait()

    def take(self) -> set[Uri]:
        taken, self._uris = self._uris, set()
        self._any.clear()
        return taken


def _outermost(uris: Collection[Uri]) -> set[Uri]:
    """Return `uris` without those that lie below another one of them."""
    return {uri for uri in uris if not any(parent in uris for parent in _parents(uri))}


def _parents(uri: Uri) -> Iterator[Uri]:
    parts = uri.split("/")
    return (Uri("/".join(parts[:end])) for end in range(1, len(parts)))
