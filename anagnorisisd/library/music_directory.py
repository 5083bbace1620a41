"""The music directory: comparing it with the library, and reading its files in worker processes."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from pathlib import Path

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import NOT_READ, ReaderFailure, ScannedFile, SeenFile, Uri
from anagnorisisd.errors import WorkerDied, WorkerHung, WorkerLost
from anagnorisisd.library.directory_walker import (
    WHOLE_DIRECTORY,
    Differences,
    DirectoryWalker,
    ExclusionRules,
)
from anagnorisisd.library.file_access import BATCH_TIMEOUT_SECONDS, FILE_TIMEOUT_SECONDS, real_path
from anagnorisisd.workers.pool import WorkerPool

BATCH_FILES = 200
READ_FUNCTION = "anagnorisisd.library.media_file:read_many"


class MusicDirectory:
    """A directory of music, whose files are read by worker processes.

    On two cores, processes read twice as many files per second as threads do, they leave the GIL to
    the event loop, and a file that crashes or hangs its reader affects no other.
    """

    name = "the music directory"

    def __init__(self, root: Path, config: Music, workers: WorkerPool) -> None:
        self._root = real_path(root)
        self._rules = ExclusionRules(config.formats, config.exclude)
        self._workers = workers

    def path(self, uri: Uri) -> Path:
        """Return the absolute path of a file."""
        return Path(self._root) / uri

    async def inode(self) -> tuple[int, int] | None:
        """Return device and inode of the music directory, `None` if it does not exist.

        They change when a file system is mounted or unmounted there.
        """

        def stat() -> tuple[int, int] | None:
            with suppress(OSError):
                status = os.stat(self._root)  # noqa: PTH116
                return status.st_dev, status.st_ino
            return None

        return await asyncio.to_thread(stat)

    async def compare(
        self, stored: AbstractSet[SeenFile], below: Uri = WHOLE_DIRECTORY
    ) -> Differences:
        """Compare the stored files of `below`, a file or a directory, with those on disk.

        Opens no file. Raises nothing: if the directory is gone, so are all of its files.
        """
        return await asyncio.to_thread(self._compare, stored, below)

    def _compare(self, stored: AbstractSet[SeenFile], below: Uri) -> Differences:
        walker = DirectoryWalker(self._root, self._rules, stored)
        if below == WHOLE_DIRECTORY:
            walker.walk_all()
        else:
            walker.walk_part(below)
        return walker.differences()

    async def read(
        self, uris: Sequence[Uri], suspected: AbstractSet[Uri] = frozenset()
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        """Read files, and yield them in batches, a few batches ahead of the caller.

        A file that cannot be used comes with its problem; one that is gone is left out. If a batch
        crashes or hangs its reader, its files are read one by one after all batches. Those that do
        so again, and the `suspected` ones, are read last; those that do so even then come with the
        stamp `NOT_READ`.
        """
        normal = [uri for uri in uris if uri not in suspected]
        alone: list[Uri] = []
        last = [uri for uri in uris if uri in suspected]
        batches = [normal[at : at + BATCH_FILES] for at in range(0, len(normal), BATCH_FILES)]
        async with aclosing(self._read_batches(batches, BATCH_TIMEOUT_SECONDS)) as results:
            async for batch, files in results:
                if isinstance(files, WorkerLost):
                    alone += batch
                else:
                    yield files
        singles = [[uri] for uri in alone]
        async with aclosing(self._read_batches(singles, FILE_TIMEOUT_SECONDS)) as results:
            async for (uri,), files in results:
                if isinstance(files, WorkerLost):
                    last.append(uri)
                else:
                    yield files
        singles = [[uri] for uri in last]
        async with aclosing(self._read_batches(singles, FILE_TIMEOUT_SECONDS)) as results:
            async for (uri,), files in results:
                yield [_unread(uri, files)] if isinstance(files, WorkerLost) else files

    async def _read_batches(
        self, batches: Sequence[list[Uri]], timeout_seconds: float
    ) -> AsyncGenerator[tuple[list[Uri], Sequence[ScannedFile] | WorkerLost], None]:
        """Yield each batch with its result, in order of completion: one that hangs delays none."""
        waiting = deque(batches)
        running: dict[asyncio.Task[Sequence[ScannedFile] | WorkerLost], list[Uri]] = {}
        try:
            while waiting or running:
                while waiting and len(running) <= self._workers.size:
                    batch = waiting.popleft()
                    running[asyncio.create_task(self._read_batch(batch, timeout_seconds))] = batch
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield running.pop(task), task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _read_batch(
        self, uris: list[Uri], timeout_seconds: float
    ) -> Sequence[ScannedFile] | WorkerLost:
        if len(uris) == 1:
            # On a network share that has gone stale any file hangs: wait here, before the timeout.
            await self.inode()
        try:
            files: Sequence[ScannedFile] = await self._workers.run(
                READ_FUNCTION,
                self._root,
                uris,
                timeout_seconds=timeout_seconds,
                result_type=list[ScannedFile],
                reads=[f"{self._root}/{uri}" for uri in uris],
            )
        except WorkerLost as lost:
            return lost
        except MemoryError:
            return WorkerDied("its reader ran out of memory")
        return files


def _unread(uri: Uri, lost: WorkerLost) -> ScannedFile:
    failure = {WorkerDied: ReaderFailure.CRASHED, WorkerHung: ReaderFailure.HUNG}.get(type(lost))
    return ScannedFile(
        uri, NOT_READ, None, problem=f"cannot be read: {lost}", reader_failure=failure
    )
