"""Writing ratings into the tags of files, if the configuration says so.

The tag is FMPS_Rating in each format, by `fmps_rating_tag`; POPM is only read.

A file is copied, the copy is tagged, and it replaces the file only if it holds the same audio; a
program that plays or reads the file meanwhile continues with the old one. Mode, owner and extended
attributes are kept; the modification time is new, as backups and MPD depend on it. Other hard links
keep the old file.

Ratings set while the daemon was off, or that could not be written, are written at the next start. A
track with several files is tagged in one of them.
"""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mutagen

from anagnorisis.atomic_write import fsync
from anagnorisisd.clock import Clock
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import MediaError, WorkerLost
from anagnorisisd.events import Announcement, Events, TrackRated
from anagnorisisd.library.audio_hash import Kind, identify
from anagnorisisd.library.file_access import (
    FILE_TIMEOUT_SECONDS,
    TAG_SECONDS,
    BoundedFile,
    open_regular,
    os_error_reason,
)
from anagnorisisd.ratings import fmps_rating_tag, rating_tag_reader
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.resource_limits import CpuTimeExceeded, limit_cpu_time

log = logging.getLogger(__name__)

DELAY_SECONDS = 2.0
"""How long to wait for further ratings, so that a file is not copied for each step of a slider."""

BATCH_TRACKS = 500
CHECK_FUNCTION = "anagnorisisd.ratings.rating_tag_writer:tag_problem"


class RatingTagWriter:
    """Writes the newest rating of each track into a file, one file after the other."""

    def __init__(
        self,
        *,
        path: Callable[[Uri], Path],
        workers: WorkerPool,
        library: LibraryStore,
        store: RatingStore,
        events: Events,
        clock: Clock,
    ) -> None:
        self._path = path
        self._workers = workers
        self._library = library
        self._store = store
        self._events = events
        self._clock = clock
        self._logged_problems: set[str] = set()

    async def run(self) -> None:
        """Write all ratings, then those that change, until cancelled."""
        with self._events.subscribe() as subscription:
            await self._write_all(await self._store.current())
            while True:
                first = await subscription.next()
                await self._clock.sleep(DELAY_SECONDS)
                await self._write_all(await self._rated([first, *subscription.arrived()]))

    async def _rated(self, announcements: Iterable[Announcement]) -> set[TrackId]:
        """Return the tracks that were rated, or all with a rating if events were missed."""
        rated: set[TrackId] = set()
        for announcement in announcements:
            if announcement.missed:
                rated.update(await self._store.current())
            if isinstance(announcement.event, TrackRated):
                rated.add(announcement.event.change.rating.track_id)
        return rated

    async def _write_all(self, track_ids: Iterable[TrackId]) -> None:
        waiting = sorted(track_ids)
        for start in range(0, len(waiting), BATCH_TRACKS):
            uris = await self._library.audio_files(waiting[start : start + BATCH_TRACKS])
            for track_id, uri in uris.items():
                await self._write(track_id, uri)

    async def _write(self, track_id: TrackId, uri: Uri) -> None:
        # The rating may have changed since the event.
        newest = await self._store.history(track_id=track_id, limit=1)
        if not newest:
            return
        path = self._path(uri)
        try:
            if await check_and_write(path, track_id, newest[0].value, self._workers):
                log.debug("wrote the rating of %s into its tags", uri)
        except MediaError as error:
            self._log_problem(track_id, uri, str(error))

    def _log_problem(self, track_id: TrackId, uri: Uri, problem: str) -> None:
        """Log each problem once: a read-only directory has many files."""
        if problem not in self._logged_problems:
            self._logged_problems.add(problem)
            log.warning(
                "cannot write the rating of track %s, and maybe of others, into its tags: %s",
                track_id,
                problem,
            )
            log.debug("track %s is at %s", track_id, uri)


async def check_and_write(
    path: Path, track_id: TrackId, rating: float | None, workers: WorkerPool
) -> bool:
    """Do as `write`, after a worker process has read the tags within limits.

    Raises:
        MediaError: as for `write`, or its tags exceed the limits.
    """
    try:
        problem = await workers.run(
            CHECK_FUNCTION,
            str(path),
            timeout_seconds=FILE_TIMEOUT_SECONDS,
            result_type=str | None,
            reads=[str(path)],
        )
    except (WorkerLost, MemoryError) as error:
        raise MediaError(f"its tags cannot be read: {error}") from error
    if problem:
        raise MediaError(str(problem))
    return await asyncio.to_thread(write, path, track_id, rating)


def tag_problem(path: str) -> str | None:
    """Return why the tags of a file should not be read in the daemon; runs in a worker process.

    mutagen reads the tags, without limits, before it writes them.
    """
    try:
        with open_regular(path) as file, limit_cpu_time(TAG_SECONDS):
            mutagen.File(BoundedFile(file))
    except CpuTimeExceeded:
        return "its tags take too much CPU time"
    except MemoryError:
        return "its tags take too much memory"
    except MediaError as error:
        return str(error)
    except Exception:  # `write` reports damaged tags.
        return None
    return None


def write(path: Path, track_id: TrackId, rating: float | None) -> bool:
    """Write the rating of a track, `None` for none, into a file; return whether it changed.

    A file whose tags have that rating already, in any program's form, is not changed. Only our own
    tag is removed.

    Raises:
        MediaError: the file does not hold that track, cannot be written, or has no tags.
    """
    try:
        # With the link resolved, its target is replaced and not the link.
        return _write(path.resolve(strict=True), track_id, rating)
    except OSError as error:
        reason = os_error_reason(error).replace("cannot be read", "cannot be written")
        raise MediaError(reason) from error


def _write(path: Path, track_id: TrackId, rating: float | None) -> bool:
    if rating is not None and rating_tag_reader.read(path) == rating:
        return False
    before = path.stat()
    kind, found = _identify(path)
    if found != track_id:
        raise MediaError("it holds other audio than the track that was rated")
    with _temporary_copy(path, before) as copy:
        if not _tag(copy, kind, rating):
            return False
        if _identify(copy) != (kind, track_id):
            raise MediaError("writing would have changed its audio; it was not changed")
        fsync(copy)
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise MediaError("another program wrote to it meanwhile")
        copy.replace(path)
    fsync(path.parent)
    return True


def _identify(path: Path) -> tuple[Kind, TrackId]:
    with open_regular(path) as file:
        return identify(file)


@contextmanager
def _temporary_copy(path: Path, status: os.stat_result) -> Iterator[Path]:
    """Copy a file, with owner and mode, in its directory; remove the copy unless it was moved."""
    # Without an extension, it is not music to the scanner, the watcher and MPD.
    descriptor, name = tempfile.mkstemp(prefix=".anagnorisis-", dir=path.parent)
    copy = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target, open_regular(path) as source:
            shutil.copyfileobj(source, target, 1 << 20)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(copy, status.st_uid, status.st_gid)
        shutil.copystat(path, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _tag(copy: Path, kind: Kind, rating: float | None) -> bool:
    try:
        return fmps_rating_tag.write(copy, kind, rating)
    except (MediaError, OSError):
        raise
    except Exception as error:  # On damaged files, mutagen raises more than MutagenError.
        raise MediaError(f"its tags cannot be written: {error}") from error
