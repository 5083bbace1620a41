"""The paths that confined workers may read: the music directory and the targets of its links.

A Landlock rule for a directory does not extend to the targets of symbolic links in it. So callers
announce the files that a task will read, and the pool replaces workers that were started before a
new directory became readable.
"""

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from anagnorisisd.workers.confinement import Confinement

RESOLVE_TIMEOUT_SECONDS = 5.0
"""For a disk that does not respond; the worker that reads the file will report the error."""

MAX_LINKED_DIRECTORIES = 64
"""Above this number, one rule for their common parent directory replaces them."""


class ReadablePaths:
    """The music directory, the directories that links in it lead to, and fixed other paths.

    `music` is `None` for workers that read no music.
    """

    def __init__(
        self,
        music: str | Path | None,
        *,
        readable: Iterable[Path] = (),
        writable: Iterable[Path] = (),
    ) -> None:
        self._music = None if music is None else str(music)
        self._readable = tuple(map(str, readable))
        self._writable = tuple(map(str, writable))
        self._linked: frozenset[str] = frozenset()
        # Not the event loop's executor: a stalled disk would occupy threads that others need.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="links")

    @property
    def confinement(self) -> Confinement:
        """The confinement of a worker that is started now."""
        for path in self._writable:  # a Landlock rule needs an existing directory
            with suppress(OSError):
                Path(path).mkdir(parents=True, exist_ok=True)
        linked = tuple(sorted(self._linked))
        music = () if self._music is None else (self._music,)
        return Confinement((*music, *linked, *self._readable), self._writable)

    async def include(self, paths: Iterable[str]) -> None:
        """Make these files readable for workers that are started from now on."""
        if self._music in {None, os.sep}:
            return
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(RESOLVE_TIMEOUT_SECONDS):
                await loop.run_in_executor(self._executor, self._resolve, tuple(paths))

    def _resolve(self, paths: tuple[str, ...]) -> None:
        for directory in {os.path.dirname(path) for path in paths}:  # noqa: PTH120
            self._add(os.path.realpath(directory))
        for path in paths:
            if os.path.islink(path):  # noqa: PTH114
                self._add(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120

    def _add(self, directory: str) -> None:
        assert self._music is not None
        if any(_is_within(directory, parent) for parent in (self._music, *self._linked)):
            return
        linked = self._linked | {directory}
        if len(linked) > MAX_LINKED_DIRECTORIES:
            linked = frozenset({os.path.commonpath(linked)})
        self._linked = linked


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
