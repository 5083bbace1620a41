"""Noticing changes in the music folder through watchdog (inotify), or by looking every so often.

Events are hints at best: the kernel drops them when too many come, network mounts give none,
and watches can run out. So an event is reduced to the uri that it concerns, and whoever takes
the hint looks for himself. When the kernel says that it dropped some, everything is hinted at.
"""

import asyncio
import errno
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, EventEmitter
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

from anagnorisisd.config.schema import Music, Watch
from anagnorisisd.domain.track import Uri
from anagnorisisd.library.interfaces import WHOLE_FOLDER, Watcher
from anagnorisisd.library.realpath_with_timeout import real_path

log = logging.getLogger(__name__)

BURST_SECONDS = 0.3
"""So long a hint waits for others that belong to it: a moved file gives two."""

POLL_SECONDS = 60.0

WATCHED_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent, DirDeletedEvent,
]  # fmt: skip
"""Neither opening, reading nor each single write: a file that is being written is closed once.
Nor permissions, which watchdog reports together with the writes only."""

REMEDY = "raise it with `sysctl fs.inotify.max_user_watches=1048576`, or set music.watch to poll"


class ChangeHints:
    """Uris that wait to be looked at; other threads may add to them."""

    def __init__(self) -> None:
        self._waiting: set[Uri] = set()
        self._any = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def add(self, uri: Uri) -> None:
        """Take a hint, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._add, uri)
        except RuntimeError:  # the loop was closed while an event was under way
            log.debug("a hint came after the end")

    def _add(self, uri: Uri) -> None:
        self._waiting.add(uri)
        self._any.set()

    async def take(self) -> frozenset[Uri]:
        """Wait for a hint, let its burst pass, and return all there are."""
        await self._any.wait()
        await asyncio.sleep(BURST_SECONDS)
        taken, self._waiting = frozenset(self._waiting), set()
        self._any.clear()
        return taken


class _Kernel(InotifyFD):
    """watchdog's reader of inotify events; `overflowed` is called when the kernel dropped some.

    watchdog makes its watches anew then, and tells nobody.
    """

    def __init__(self, overflowed: Callable[[], None]) -> None:
        super().__init__()
        self._overflowed = overflowed

    def handle_event(self, event: InotifyEvent) -> None:
        """Let watchdog handle an event; runs in a thread of its own."""
        super().handle_event(event)
        # Afterwards: what changes from here on is watched, and what changed before will be found.
        if event.is_queue_overflow:
            log.debug("the kernel dropped inotify events; the whole folder is compared")
            self._overflowed()


class _Observer(BaseObserver):
    """watchdog's observer with an inotify instance of its own."""

    def __init__(self, overflowed: Callable[[], None]) -> None:
        self._kernel = _Kernel(overflowed)
        emitter = partial(InotifyEmitter, inotify_fd=self._kernel)
        super().__init__(cast("type[EventEmitter]", emitter))

    def on_thread_start(self) -> None:
        """Begin to read events."""
        self._kernel.start()

    def on_thread_stop(self) -> None:
        """Stop watching and close the inotify instance."""
        super().on_thread_stop()
        self._kernel.stop()
        self._kernel.join()


class InotifyWatcher:
    """Watches through the kernel; needs a watch for each folder."""

    def __init__(self, root: Path) -> None:
        self._root = real_path(root)
        self._hints = ChangeHints()
        self._observer: _Observer | None = None
        self._watched: dict[Uri, tuple[str, int, int]] = {}
        self._said: str | None = None

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Watch the folder and the folders it links to; anew where something was (un)mounted."""
        wanted = await asyncio.to_thread(_existing, {WHOLE_FOLDER: self._root, **linked})
        if wanted == self._watched:
            return
        await self.close()
        if WHOLE_FOLDER not in wanted:
            return
        try:
            self._observer = await asyncio.to_thread(self._observe, wanted)
            self._watched = wanted
        except OSError as error:
            self._say(error)

    async def hints(self) -> frozenset[Uri]:
        """Wait for changes and return the files and folders concerned."""
        return await self._hints.take()

    async def close(self) -> None:
        """Stop watching."""
        observer, self._observer, self._watched = self._observer, None, {}
        if observer is not None:
            await asyncio.to_thread(_stop, observer)

    def _observe(self, wanted: Mapping[Uri, tuple[str, int, int]]) -> _Observer:
        # watchdog warns when a folder within a new one is met twice, which changes nothing.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer = _Observer(partial(self._hints.add, WHOLE_FOLDER))
        observer.start()
        try:
            for uri, (path, _, _) in wanted.items():
                handler = _Handler(path, uri, self._hints.add)
                observer.schedule(handler, path, recursive=True, event_filter=WATCHED_EVENTS)
            _probe(self._root)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                _stop(observer)
                raise
            self._say(error)
        return observer

    def _say(self, error: OSError) -> None:
        """Tell why watching is incomplete, once; the periodic scan sees what it misses."""
        limit = error.errno in {errno.ENOSPC, errno.EMFILE}
        text = f"the inotify limit is reached; {REMEDY}" if limit else str(error)
        if text != self._said:
            self._said = text
            log.warning("not every folder of %r can be watched: %s", self._root, text)


class PollingWatcher:
    """For network shares, which tell nobody of changes: hints at everything, every so often.

    The comparison that follows is what a polling watcher would do too, and it needs no second
    copy of the folder in memory.
    """

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Nothing needs to be prepared."""

    async def hints(self) -> frozenset[Uri]:
        """Wait, and hint at the whole folder."""
        await asyncio.sleep(POLL_SECONDS)
        return frozenset({WHOLE_FOLDER})

    async def close(self) -> None:
        """Nothing runs."""


class NoWatcher:
    """Leaves it all to the periodic scan."""

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Nothing is watched."""

    async def hints(self) -> frozenset[Uri]:
        """Wait forever."""
        await asyncio.Event().wait()
        return frozenset()

    async def close(self) -> None:
        """Nothing runs."""


def make_watcher(root: Path, config: Music) -> Watcher:
    """Return the watcher that is configured; call it within the event loop."""
    match config.watch:
        case Watch.INOTIFY:
            return InotifyWatcher(root)
        case Watch.POLL:
            return PollingWatcher()
        case Watch.OFF:
            return NoWatcher()


class _Handler(FileSystemEventHandler):
    """Turns the events below `base`, called `uri` in the library, into hints."""

    def __init__(self, base: str, uri: Uri, hint: Callable[[Uri], None]) -> None:
        self._base = base + "/"
        self._prefix = f"{uri}/" if uri else ""
        self._hint = hint

    def dispatch(self, event: FileSystemEvent) -> None:
        """Hint at both ends of what happened; runs in watchdog's thread."""
        for path in (event.src_path, event.dest_path):
            name = os.fsdecode(path)
            if name.startswith(self._base):
                self._hint(Uri(self._prefix + name.removeprefix(self._base)))
            elif name == self._base[:-1]:
                self._hint(Uri(self._prefix[:-1]))


def _existing(folders: Mapping[Uri, str]) -> dict[Uri, tuple[str, int, int]]:
    """Return path, device and inode of those folders that are there."""
    found: dict[Uri, tuple[str, int, int]] = {}
    for uri, path in folders.items():
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        found[uri] = (path, status.st_dev, status.st_ino)
    return found


def _probe(path: str) -> None:
    """Raise `OSError` when no watch is left: watchdog keeps that of subfolders to itself."""
    probe = InotifyObserver()
    probe.start()
    try:
        probe.schedule(FileSystemEventHandler(), path, event_filter=[DirDeletedEvent])
    finally:
        _stop(probe)


def _stop(observer: BaseObserver) -> None:
    observer.stop()
    observer.join()
