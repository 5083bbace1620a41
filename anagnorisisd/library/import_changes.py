"""Taking in what differs between the stored library and the music folder."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from anagnorisisd.clock import Clock
from anagnorisisd.domain.reader_loss import HeldBack
from anagnorisisd.domain.track import FileStamp, ScannedFile, SeenFile, Uri
from anagnorisisd.events import Events, LibraryChanged, TrackRated
from anagnorisisd.library.interfaces import WHOLE_FOLDER, Differences, MusicDirectoryReader
from anagnorisisd.library.scan_progress import ScanProgress
from anagnorisisd.storage.file_upsert import UpsertResult
from anagnorisisd.storage.library import LibraryStore

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""A file that was written to more recently may still be in the making."""

UNUSABLE_AT_ONCE = 200


class ChangeImporter:
    """Compares, and stores what comes of it."""

    def __init__(
        self, store: LibraryStore, folder: MusicDirectoryReader, events: Events, clock: Clock
    ) -> None:
        self._store = store
        self._folder = folder
        self._events = events
        self._clock = clock
        self._under_way = 0

    async def compare(self, uris: Collection[Uri]) -> Differences:
        """Compare some files and folders, or the whole folder, with what is known of them."""
        return _joined([await self._compare(uri) for uri in uris])

    async def _compare(self, uri: Uri) -> Differences:
        below = None if uri == WHOLE_FOLDER else uri
        seen = await self._store.seen(below)
        found = await self._folder.compare(seen, uri)
        if held_back := await self._store.held_back(below):
            found = self._weighed(found, seen, held_back)
        if not found.changed:
            return found
        missing = await self._store.missing(below)
        returned: list[Uri] = []
        changed: dict[Uri, FileStamp] = {}
        for file, stamp in found.changed.items():
            if (os.fsencode(file), *stamp) in missing:
                returned.append(file)
            else:
                changed[file] = stamp
        return replace(found, changed=changed, returned=returned)

    def _weighed(
        self,
        found: Differences,
        seen: AbstractSet[SeenFile],
        held_back: Mapping[SeenFile, HeldBack],
    ) -> Differences:
        """Leave files alone that cost their reader, and add those whose time has come again."""
        now = self._clock.now()
        changed = dict(found.changed)
        unusable = list(found.unusable)
        suspected: set[Uri] = set()
        gone = set(found.gone)
        for file, held in held_back.items():
            uri, stamp = Uri(os.fsdecode(file[0])), FileStamp(*file[1:])
            is_as_it_was = changed.get(uri) == stamp
            if is_as_it_was and now < held.retry_at:  # It was away meanwhile.
                del changed[uri]
                unusable.append(ScannedFile(uri, stamp, None, problem=held.problem))
            elif is_as_it_was or (
                now >= held.retry_at and file in seen and uri not in changed and uri not in gone
            ):
                changed[uri] = stamp
                suspected.add(uri)
        return replace(
            found,
            unchanged=found.unchanged - len(suspected - found.changed.keys()),
            changed=changed,
            unusable=unusable,
            suspected=suspected,
        )

    async def take_in(
        self, found: Differences, progress: ScanProgress, advance: Callable[[ScanProgress], None]
    ) -> set[Uri]:
        """Store what differs, and return the files that are still in the making.

        `advance` is told the progress after each step. What is gone is marked first, so that a
        file which turns up elsewhere counts as moved. Every batch is announced by itself, so
        that new tracks are embedded while others are still being read.
        """
        self._under_way += 1
        try:
            return await self._take_in(found, progress, advance)
        finally:
            self._under_way -= 1
            if not self._under_way:  # Else a track may have moved to where is still looked.
                await self._settle_replacements()

    async def _take_in(
        self, found: Differences, progress: ScanProgress, advance: Callable[[ScanProgress], None]
    ) -> set[Uri]:
        lost = await self._lose(found.gone)
        await self._bring_back(found.returned)
        progress = replace(progress, missing=progress.missing + lost)
        advance(progress)
        ready, young = self._by_age(found.changed)
        async for files in self._read(ready, found):
            absorbed = await self._store.absorb(files, self._clock.now())
            self._announce(absorbed)
            progress = progress.and_absorbed(absorbed, len(files))
            advance(progress)
            lost = max(0, lost - absorbed.moved)
        if lost:
            self._events.publish(LibraryChanged(missing=lost))
        return young

    async def _lose(self, gone: Sequence[Uri]) -> int:
        return await self._store.mark_missing(gone, self._clock.now()) if gone else 0

    async def _bring_back(self, returned: Sequence[Uri]) -> None:
        if returned:
            await self._store.mark_present(returned, self._clock.now())
            self._events.publish(LibraryChanged())

    async def _settle_replacements(self) -> None:
        """Let what is known of replaced files pass on, and say so."""
        settled = await self._store.settle_replacements(self._clock.now())
        for each in settled:
            log.debug("track %s took the place of %s; same: %s", each.now, each.before, each.same)
            if each.change is not None:
                self._events.publish(TrackRated(each.change))
        passed = sum(each.change is not None or each.plays > 0 for each in settled)
        doubtful = sum(each.rated and not each.same for each in settled)
        if passed:
            log.info("%d files were replaced; ratings and plays passed on to the new ones", passed)
            self._events.publish(LibraryChanged())
        if doubtful:
            log.warning(
                "%d rated files were replaced by what may be another piece: the new ones start "
                "unrated; the former are in 'anagnorisis tracks --state missing'",
                doubtful,
            )

    def _announce(self, absorbed: UpsertResult) -> None:
        if absorbed.added or absorbed.moved or absorbed.changed:
            self._events.publish(LibraryChanged(absorbed.added, absorbed.moved))

    async def _read(
        self, uris: Sequence[Uri], found: Differences
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        for start in range(0, len(found.unusable), UNUSABLE_AT_ONCE):
            yield found.unusable[start : start + UNUSABLE_AT_ONCE]
        async for files in self._folder.read(uris, found.suspected):
            # What cost its reader is remembered as it was when it was found.
            yield [
                replace(file, stamp=found.changed[file.uri]) if file.loss else file
                for file in files
            ]

    def _by_age(self, changed: Mapping[Uri, FileStamp]) -> tuple[list[Uri], set[Uri]]:
        """Return which files can be read now, and which were written to only just now."""
        now_ns = int(self._clock.now() * 1e9)
        latest_ns = now_ns - int(SETTLE_SECONDS * 1e9)
        # A time in the future is a wrong clock, not a file in the making.
        young = {uri for uri, stamp in changed.items() if latest_ns < stamp.mtime_ns <= now_ns}
        return [uri for uri in changed if uri not in young], young


def _joined(parts: Sequence[Differences]) -> Differences:
    """Return the differences of several parts of the folder as one."""
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
