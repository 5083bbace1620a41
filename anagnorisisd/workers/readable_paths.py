"""What confined workers may read: the music folder, if any, and whatever links in it lead to.

Landlock knows no links: a rule over the music folder says nothing of another disk that a link in
it leads to. So whoever has a file read says so here first, and a reader that was started before a
new place was met makes way for another one.
"""

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from anagnorisisd.workers.confinement import Confinement

PATIENCE_SECONDS = 5.0
"""A disk that hangs is not waited for longer; the reader will say what became of the file."""

MOST_PLACES = 64
"""With more than so many outside the folder, what they have in common stands for them."""


class ReadablePaths:
    """Grows with the links that are met; `readable` and `writable` are what is needed beside.

    Workers that read no music have no `root`.
    """

    def __init__(
        self,
        root: str | Path | None,
        *,
        readable: Iterable[Path] = (),
        writable: Iterable[Path] = (),
    ) -> None:
        self._root = None if root is None else str(root)
        self._readable = tuple(map(str, readable))
        self._writable = tuple(map(str, writable))
        self._outside: frozenset[str] = frozenset()
        # A thread of its own: one that hangs with its disk must not be missed by others.
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="links")

    @property
    def confinement(self) -> Confinement:
        """What a reader that is started now may do."""
        for path in self._writable:  # a rule needs the folder
            with suppress(OSError):
                Path(path).mkdir(parents=True, exist_ok=True)
        outside = tuple(sorted(self._outside))
        root = () if self._root is None else (self._root,)
        return Confinement((*root, *outside, *self._readable), self._writable)

    async def include(self, paths: Iterable[str]) -> None:
        """See to it that readers that are started from now on may read these files."""
        if self._root in {None, os.sep}:
            return
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await loop.run_in_executor(self._looking, self._follow, tuple(paths))

    def _follow(self, paths: tuple[str, ...]) -> None:
        for folder in {os.path.dirname(path) for path in paths}:  # noqa: PTH120
            self._add(os.path.realpath(folder))
        for path in paths:
            if os.path.islink(path):  # noqa: PTH114
                self._add(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120

    def _add(self, folder: str) -> None:
        if any(_is_below(folder, place) for place in (self._root or "", *self._outside)):
            return
        outside = self._outside | {folder}
        if len(outside) > MOST_PLACES:
            outside = frozenset({os.path.commonpath(outside)})
        self._outside = outside


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
