"""The music folder on disk."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from anagnorisisd.adapters.real_path import real_path
from anagnorisisd.adapters.walk import Rules, Walk
from anagnorisisd.adapters.workers import WorkerPool
from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import NOT_READ, ScannedFile, SeenFile, Uri
from anagnorisisd.errors import WorkerLost
from anagnorisisd.ports.library import WHOLE_FOLDER, Differences

BATCH_FILES = 200
READ_TARGET = "anagnorisisd.adapters.media_file:read_many"
BATCH_TIMEOUT_SECONDS = 600.0
"""For a batch; slow disks and network shares are forgiven a lot."""
TRIES = 2
"""How often a file is tried alone before it is given up until the next scan."""
FILE_TIMEOUT_SECONDS = 300.0
"""For a file that is tried alone, after its batch was lost."""


class MusicFolder:
    """A folder of music; files are read by worker processes.

    On two cores they read twice as many files a second as threads, keep Python's lock free for
    the event loop, and a file that makes its reader crash or hang costs nothing else.
    """

    def __init__(self, root: Path, config: Music, workers: WorkerPool) -> None:
        self._root = real_path(root)
        self._rules = Rules(config.formats, config.exclude)
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
        walk = Walk(self._root, self._rules, known)
        if below == WHOLE_FOLDER:
            walk.whole()
        else:
            walk.part(below)
        return walk.differences()

    async def read(self, uris: Sequence[Uri]) -> AsyncIterator[Sequence[ScannedFile]]:
        """Read files, a few batches ahead of whoever takes them."""
        ahead: deque[asyncio.Task[Sequence[ScannedFile]]] = deque()
        batches = (uris[start : start + BATCH_FILES] for start in range(0, len(uris), BATCH_FILES))
        try:
            for batch in batches:
                ahead.append(asyncio.create_task(self._read_batch(batch)))
                if len(ahead) > self._workers.size:
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _read_batch(self, uris: Sequence[Uri]) -> Sequence[ScannedFile]:
        if len(uris) > 1:
            with suppress(WorkerLost):
                return await self._read_together(uris, BATCH_TIMEOUT_SECONDS)
        return [file for uri in uris for file in await self._read_alone(uri)]

    async def _read_alone(self, uri: Uri) -> Sequence[ScannedFile]:
        """Read one file; its reader may have died for want of memory, so it is tried twice."""
        reason = ""
        for _ in range(TRIES):
            try:
                return await self._read_together([uri], FILE_TIMEOUT_SECONDS)
            except WorkerLost as lost:
                reason = f"cannot be read: {lost}"
        return [ScannedFile(uri, NOT_READ, None, problem=reason)]

    async def _read_together(
        self, uris: Sequence[Uri], timeout_seconds: float
    ) -> Sequence[ScannedFile]:
        files: Sequence[ScannedFile] = await self._workers.run(
            READ_TARGET, self._root, list(uris), timeout_seconds=timeout_seconds
        )
        return files
