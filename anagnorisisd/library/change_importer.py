"""Storing how the music directory differs from the library: new, changed, moved and gone files."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from anagnorisisd.clock import Clock
from anagnorisisd.domain.track import FileStamp, PostponedRead, ScannedFile, SeenFile, Uri
from anagnorisisd.events import Events, LibraryChanged, TrackRated
from anagnorisisd.library.directory_walker import WHOLE_DIRECTORY, Differences
from anagnorisisd.library.song_source import SongSource
from anagnorisisd.storage.files import UpsertResult
from anagnorisisd.storage.library import LibraryStore

log = logging.getLogger(__name__)

MIN_AGE_SECONDS = 2.0
"""A file that was modified more recently may still be incomplete."""

UNUSABLE_BATCH_FILES = 200


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """The progress of a scan, in files unless said otherwise.

    Of the `found` files, `unchanged` do not need to be read (including those that are back as they
    were before they went missing), and `read` have been read. Reading gave `added` tracks, files
    that were `moved` or `changed`, and `unusable`. `missing` counts tracks that lost their last
    file and were not found elsewhere. `problem` is why the music directory cannot be read, if it
    cannot.
    """

    found: int = 0
    unchanged: int = 0
    read: int = 0
    added: int = 0
    moved: int = 0
    changed: int = 0
    missing: int = 0
    unusable: int = 0
    problem: str | None = None
    finished: bool = False

    @property
    def to_read(self) -> int:
        """The number of files that this scan has to read in all."""
        return self.found - self.unchanged

    def with_batch(self, result: UpsertResult, files: int) -> "ScanProgress":
        """Return the progress after a batch of `files` was stored."""
        return replace(
            self,
            read=self.read + files,
            added=self.added + len(result.added),
            moved=self.moved + result.moved,
            changed=self.changed + result.changed,
            unusable=self.unusable + result.unusable,
            missing=max(0, self.missing - result.moved),
        )


class ChangeImporter:
    """Compares the music directory with the library, and imports the differences."""

    def __init__(
        self, store: LibraryStore, source: SongSource, events: Events, clock: Clock
    ) -> None:
        self._store = store
        self._source = source
        self._events = events
        self._clock = clock
        self._running_imports = 0

    async def compare(self, uris: Collection[Uri]) -> Differences:
        """Compare some files and directories, or the whole music directory, with the library."""
        return _merge([await self._compare(uri) for uri in uris])

    async def _compare(self, uri: Uri) -> Differences:
        below = None if uri == WHOLE_DIRECTORY else uri
        stored = await self._store.present_files(below)
        differences = await self._source.compare(stored, uri)
        if postponed := await self._store.postponed_reads(below):
            differences = self._apply_retry_times(differences, stored, postponed)
        if not differences.changed:
            return differences
        missing = await self._store.missing_files(below)
        returned: list[Uri] = []
        changed: dict[Uri, FileStamp] = {}
        for file, stamp in differences.changed.items():
            if (os.fsencode(file), *stamp) in missing:
                returned.append(file)
            else:
                changed[file] = stamp
        return replace(differences, changed=changed, returned=returned)

    def _apply_retry_times(
        self,
        differences: Differences,
        stored: AbstractSet[SeenFile],
        postponed: Mapping[SeenFile, PostponedRead],
    ) -> Differences:
        """Skip files that crashed or hung their reader, and add those that are due for a retry."""
        now = self._clock.now()
        changed = dict(differences.changed)
        unusable = list(differences.unusable)
        suspected: set[Uri] = set()
        gone = set(differences.gone)
        for file, read in postponed.items():
            uri, stamp = Uri(os.fsdecode(file[0])), FileStamp(*file[1:])
            is_same_file = changed.get(uri) == stamp
            if is_same_file and now < read.retry_at:  # It was missing for a while.
                del changed[uri]
                unusable.append(ScannedFile(uri, stamp, None, problem=read.problem))
            elif is_same_file or (
                now >= read.retry_at and file in stored and uri not in changed and uri not in gone
            ):
                changed[uri] = stamp
                suspected.add(uri)
        return replace(
            differences,
            unchanged=differences.unchanged - len(suspected - differences.changed.keys()),
            changed=changed,
            unusable=unusable,
            suspected=suspected,
        )

    async def import_changes(
        self,
        differences: Differences,
        progress: ScanProgress,
        report: Callable[[ScanProgress], None],
    ) -> set[Uri]:
        """Store the differences; return the files that were modified too recently to be read.

        Calls `report` with the progress after each step. Files that are gone are marked first, so
        that a file which is found elsewhere counts as moved. An event is published per batch, so
        that new tracks are embedded while further files are read.
        """
        self._running_imports += 1
        try:
            return await self._import(differences, progress, report)
        finally:
            self._running_imports -= 1
            # Another import may still find a track at the path that it was moved to.
            if not self._running_imports:
                await self._process_replacements()

    async def _import(
        self,
        differences: Differences,
        progress: ScanProgress,
        report: Callable[[ScanProgress], None],
    ) -> set[Uri]:
        missing = await self._mark_missing(differences.gone)
        await self._mark_present(differences.returned)
        progress = replace(progress, missing=progress.missing + missing)
        report(progress)
        readable, recent = self._split_by_age(differences.changed)
        async for files in self._read(readable, differences):
            result = await self._store.store_files(files, self._clock.now())
            self._publish(result)
            progress = progress.with_batch(result, len(files))
            report(progress)
            missing = max(0, missing - result.moved)
        if missing:
            self._events.publish(LibraryChanged(missing=missing))
        return recent

    async def _mark_missing(self, gone: Sequence[Uri]) -> int:
        return await self._store.mark_missing(gone, self._clock.now()) if gone else 0

    async def _mark_present(self, returned: Sequence[Uri]) -> None:
        if returned:
            await self._store.mark_present(returned, self._clock.now())
            self._events.publish(LibraryChanged())

    async def _process_replacements(self) -> None:
        """Transfer ratings and plays of replaced files to the tracks that replaced them."""
        settled = await self._store.process_replacements(self._clock.now())
        for each in settled:
            log.debug("track %s replaced %s; same recording: %s", each.now, each.before, each.same)
            if each.change is not None:
                self._events.publish(TrackRated(each.change))
        transferred = sum(each.change is not None or each.plays > 0 for each in settled)
        unrated = sum(each.rated and not each.same for each in settled)
        if transferred:
            log.info("transferred ratings and plays of replaced files: %d", transferred)
            self._events.publish(LibraryChanged())
        if unrated:
            log.warning(
                "rated files replaced by possibly different recordings, which start unrated: %d; "
                "'anagnorisis tracks --state missing' lists the replaced tracks",
                unrated,
            )

    def _publish(self, result: UpsertResult) -> None:
        if result.added or result.moved or result.changed:
            self._events.publish(LibraryChanged(result.added, result.moved))

    async def _read(
        self, uris: Sequence[Uri], differences: Differences
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        unusable = differences.unusable
        for start in range(0, len(unusable), UNUSABLE_BATCH_FILES):
            yield unusable[start : start + UNUSABLE_BATCH_FILES]
        async for files in self._source.read(uris, differences.suspected):
            # A file that crashed or hung its reader is stored with the stamp that it was found by.
            yield [
                replace(file, stamp=differences.changed[file.uri]) if file.reader_failure else file
                for file in files
            ]

    def _split_by_age(self, changed: Mapping[Uri, FileStamp]) -> tuple[list[Uri], set[Uri]]:
        """Return the files that can be read now, and those that were modified too recently."""
        now_ns = int(self._clock.now() * 1e9)
        latest_ns = now_ns - int(MIN_AGE_SECONDS * 1e9)
        # A time in the future is a wrong clock, not an incomplete file.
        recent = {uri for uri, stamp in changed.items() if latest_ns < stamp.mtime_ns <= now_ns}
        return [uri for uri in changed if uri not in recent], recent


def _merge(parts: Sequence[Differences]) -> Differences:
    """Return the differences of several parts of the music directory as one."""
    if len(parts) == 1:
        return parts[0]
    return Differences(
        found=sum(part.found for part in parts),
        unchanged=sum(part.unchanged for part in parts),
        returned=[uri for part in parts for uri in part.returned],
        changed={uri: stamp for part in parts for uri, stamp in part.changed.items()},
        gone=[uri for part in parts for uri in part.gone],
        unusable=[file for part in parts for file in part.unusable],
        suspected={uri for part in parts for uri in part.suspected},
        linked={uri: path for part in parts for uri, path in part.linked.items()},
        problem=next((part.problem for part in parts if part.problem), None),
    )
