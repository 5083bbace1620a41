"""Covers of tracks, with a cache in memory.

The cache is in memory, not on disk: a cover takes some 20 milliseconds to be made again, and a
directory of covers would have to be bounded, cleaned and kept private. A page of fifty covers of
300 pixels takes about a megabyte of it.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

from anagnorisisd.domain.track import NO_TIME, TrackId, Uri, split_disc
from anagnorisisd.errors import NoCover, PreconditionFailed, WorkerDied
from anagnorisisd.library import cover_pictures
from anagnorisisd.library.cover_image import CoverImage
from anagnorisisd.library.cover_pictures import FolderPicture
from anagnorisisd.library.file_access import os_error_reason
from anagnorisisd.library.player_songs import NO_FILES
from anagnorisisd.runtime.event_loop import BlockingExecutor
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.workers.pool import WorkerPool

MAX_CACHE_BYTES = 16 << 20
MAX_CACHE_ENTRIES = 4096
"""Bounds the number of tracks that are known to have no cover."""

FUNCTION = "anagnorisisd.library.cover_image:make_cover"
CPU_SECONDS = 10.0
"""CPU time to make a cover; a picture of 40 million pixels takes one or two seconds."""

TIMEOUT_SECONDS = 60.0
STAT_TIMEOUT_SECONDS = 10.0
THREADS = 2
"""Threads that look at files, so that a disk that hangs occupies no others."""

NOT_RESPONDING = "the disk of the track's file does not respond"


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover as a JPEG file; `etag` is equal for equal files."""

    image: CoverImage
    etag: str


@dataclass(frozen=True, slots=True)
class _Source:
    """The files that a cover is made of; changes when one of them does."""

    path: str
    size_bytes: int
    ctime_ns: int
    pictures: tuple[FolderPicture, ...]


_Key = tuple[_Source, int]


class Covers:
    """Makes covers in worker processes and keeps the last ones.

    `path` returns the absolute path of a file of the library.
    """

    def __init__(
        self, library: LibraryStore, path: Callable[[Uri], Path], workers: WorkerPool
    ) -> None:
        self._library = library
        self._path = path
        self._workers = workers
        self._executor = BlockingExecutor(THREADS)
        self._cache: OrderedDict[_Key, Cover | None] = OrderedDict()
        self._cached_bytes = 0
        self._running: dict[_Key, asyncio.Task[Cover | None]] = {}

    async def get(self, track_id: TrackId, max_side: int) -> Cover:
        """Return the cover of a track, at most `max_side` pixels wide and high.

        Raises:
            NoCover: there is no picture that can be used.
            PreconditionFailed: the track's file is missing or cannot be read.
            WorkerHung: the disk, or this computer, is too slow.
        """
        key = (await self._source(track_id), max_side)
        if key in self._cache:
            self._cache.move_to_end(key)
            cover = self._cache[key]
        else:
            # Callers who want the same cover wait for the same task; none of them can cancel it.
            if key not in self._running:
                self._running[key] = asyncio.create_task(self._make(*key))
                self._running[key].add_done_callback(partial(self._forget, key))
            cover = await asyncio.shield(self._running[key])
        if cover is None:
            raise NoCover("the track has no cover: no picture in its file or folder can be used")
        return cover

    def _forget(self, key: _Key, task: "asyncio.Task[Cover | None]") -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # asyncio warns of an exception that is never retrieved.

    async def _source(self, track_id: TrackId) -> _Source:
        part = await self._library.audio_part(track_id)
        if part is None:
            raise PreconditionFailed("the track's file is missing")
        if part.stamp.mtime_ns == NO_TIME:
            raise PreconditionFailed(NO_FILES)
        path = str(self._path(part.uri))
        try:
            async with asyncio.timeout(STAT_TIMEOUT_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, _source_at, path
                )
        except TimeoutError:
            raise PreconditionFailed(NOT_RESPONDING) from None
        except OSError as error:
            raise PreconditionFailed(f"the track's file: {os_error_reason(error)}") from error

    async def _make(self, source: _Source, max_side: int) -> Cover | None:
        pictures = [picture.path for picture in source.pictures]
        try:
            image: CoverImage | None = await self._workers.run(
                FUNCTION,
                source.path,
                pictures,
                max_side,
                timeout_seconds=TIMEOUT_SECONDS,
                cpu_seconds=CPU_SECONDS,
                result_type=CoverImage | None,
                reads=[source.path, *pictures],
            )
        except (WorkerDied, MemoryError):
            image = None  # A picture that crashes its decoder is none.
        cover = None
        if image is not None:
            cover = Cover(image, blake2b(image.jpeg, digest_size=16).hexdigest())
        self._keep((source, max_side), cover)
        return cover

    def _keep(self, key: _Key, cover: Cover | None) -> None:
        self._cache[key] = cover
        self._cached_bytes += _size(cover)
        while self._cached_bytes > MAX_CACHE_BYTES or len(self._cache) > MAX_CACHE_ENTRIES:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= _size(dropped)


def _size(cover: Cover | None) -> int:
    return 0 if cover is None else len(cover.image.jpeg)


def _source_at(path: str) -> _Source:
    status = os.stat(path)  # noqa: PTH116
    folder = os.path.dirname(path)  # noqa: PTH120
    parent = os.path.dirname(folder)  # noqa: PTH120
    pictures = cover_pictures.folder_pictures(folder)
    if not pictures and split_disc(folder)[0] == parent:
        # A folder that only holds one disc of an album: the cover may lie beside it.
        pictures = cover_pictures.folder_pictures(parent)
    return _Source(path, status.st_size, status.st_ctime_ns, tuple(pictures))
