"""The music folder on disk."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from pathlib import Path

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.reader_loss import ReaderLoss
from anagnorisisd.domain.track import NOT_READ, ScannedFile, SeenFile, Uri
from anagnorisisd.errors import WorkerDied, WorkerHung, WorkerLost
from anagnorisisd.library.directory_walker import DirectoryWalker, ExclusionRules
from anagnorisisd.library.interfaces import WHOLE_FOLDER, Differences
from anagnorisisd.library.realpath_with_timeout import real_path
from anagnorisisd.workers.pool import WorkerPool

BATCH_FILES = 200
READ_TARGET = "anagnorisisd.library.media_file:read_many"
BATCH_TIMEOUT_SECONDS = 600.0
"""For a batch, on the clock; then its files are read alone. What takes more processor time than a
file is worth is ended much earlier, by its reader."""
FILE_TIMEOUT_SECONDS = 600.0
"""For a file that is read alone; a busy machine and a slow share are forgiven a lot."""


class MusicDirectory:
    """A folder of music; files are read by worker processes.

    On two cores they read twice as many files a second as threads, keep Python's lock free for
    the event loop, and a file that makes its reader crash or hang costs nothing else.
    """

    def __init__(self, root: Path, config: Music, workers: WorkerPool) -> None:
        self._root = real_path(root)
        self._rules = ExclusionRules(config.formats, config.exclude)
        self._workers = workers

    def path(self, uri: Uri) -> Path:
        """Return where a file lies."""
        return Path(self._root) / uri

    async def whereabouts(self) -> tuple[int, int] | None:
        """Return device and inode of the folder, `None` when it is not there."""

        def look() -> tuple[int, int] | None:
            with suppress(OSError):
                status = os.stat(self._root)  # noqa: PTH116
                return status.st_dev, status.st_ino
            return None

        return await asyncio.to_thread(look)

    async def compare(self, known: AbstractSet[SeenFile], below: Uri = WHOLE_FOLDER) -> Differences:
        """Compare what is known of `below` with what is there, in one go in a thread."""
        return await asyncio.to_thread(self._compare, known, below)

    def _compare(self, known: AbstractSet[SeenFile], below: Uri) -> Differences:
        walk = DirectoryWalker(self._root, self._rules, known)
        if below == WHOLE_FOLDER:
            walk.whole()
        else:
            walk.part(below)
        return walk.differences()

    async def read(
        self, uris: Sequence[Uri], suspected: AbstractSet[Uri] = frozenset()
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        """Read files, a few batches ahead of whoever takes them.

        Files of a batch that was lost are read one by one after all batches, and those that cost
        their reader again, or did so in an earlier scan, at the very end.
        """
        usual = [uri for uri in uris if uri not in suspected]
        alone: list[Uri] = []
        last = [uri for uri in uris if uri in suspected]
        batches = [usual[at : at + BATCH_FILES] for at in range(0, len(usual), BATCH_FILES)]
        async with aclosing(self._read_each(batches, BATCH_TIMEOUT_SECONDS)) as read:
            async for batch, files in read:
                if isinstance(files, WorkerLost):
                    alone += batch
                else:
                    yield files
        async with aclosing(self._read_each(_singly(alone), FILE_TIMEOUT_SECONDS)) as read:
            async for (uri,), files in read:
                if isinstance(files, WorkerLost):
                    last.append(uri)
                else:
                    yield files
        async with aclosing(self._read_each(_singly(last), FILE_TIMEOUT_SECONDS)) as read:
            async for (uri,), files in read:
                yield [_lost(uri, files)] if isinstance(files, WorkerLost) else files

    async def _read_each(
        self, batches: Sequence[list[Uri]], timeout_seconds: float
    ) -> AsyncGenerator[tuple[list[Uri], Sequence[ScannedFile] | WorkerLost], None]:
        """Yield what comes of each batch as soon as it is there: one that hangs delays no other."""
        waiting = deque(batches)
        ahead: dict[asyncio.Task[Sequence[ScannedFile] | WorkerLost], list[Uri]] = {}
        try:
            while waiting or ahead:
                while waiting and len(ahead) <= self._workers.size:
                    batch = waiting.popleft()
                    ahead[asyncio.create_task(self._read_batch(batch, timeout_seconds))] = batch
                done, _ = await asyncio.wait(ahead, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield ahead.pop(task), task.result()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _read_batch(
        self, uris: list[Uri], timeout_seconds: float
    ) -> Sequence[ScannedFile] | WorkerLost:
        if len(uris) == 1:
            # A share that is dead now hangs at any file, which is not to be blamed for that.
            await self.whereabouts()
        try:
            files: Sequence[ScannedFile] = await self._workers.run(
                READ_TARGET,
                self._root,
                uris,
                timeout_seconds=timeout_seconds,
                answer=list[ScannedFile],
                reads=[f"{self._root}/{uri}" for uri in uris],
            )
        except WorkerLost as lost:
            return lost
        except MemoryError:
            return WorkerDied("its reader ran out of memory")
        return files


def _singly(uris: Sequence[Uri]) -> list[list[Uri]]:
    return [[uri] for uri in uris]


def _lost(uri: Uri, lost: WorkerLost) -> ScannedFile:
    loss = {WorkerDied: ReaderLoss.KILLED, WorkerHung: ReaderLoss.HUNG}.get(type(lost))
    return ScannedFile(uri, NOT_READ, None, problem=f"cannot be read: {lost}", loss=loss)
