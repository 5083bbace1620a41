"""Watching the music directory for changes: by inotify (the watchdog package), or by polling.

Events are only hints: the kernel drops them when there are too many, network file systems send
none, and inotify watches can run out. So an event is reduced to the URI that it concerns, and the
library service compares what is there. After an overflow, the hint is the whole directory.
"""

import asyncio
import errno
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, cast

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
from anagnorisisd.library.directory_walker import WHOLE_DIRECTORY
from anagnorisisd.library.file_access import real_path
from anagnorisisd.runtime.log_setup import LastMessage

log = logging.getLogger(__name__)

BURST_SECONDS = 0.3
"""How long to wait for further hints that belong together: a moved file gives two."""

POLL_SECONDS = 60.0

WATCHED_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent, DirDeletedEvent,
]  # fmt: skip
"""A file that is written is closed once, so single writes are not needed. Changes of permissions
would be, but watchdog reports them only together with writes."""

REMEDY = "raise it with `sysctl fs.inotify.max_user_watches=1048576`, or set music.watch to poll"


class Watcher(Protocol):
    """Watches the music directory. It may miss changes: it gives hints."""

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Watch the directory and the directories it links to, given by URI and real path.

        Call it again when either may have changed; existing watches are kept. Raises nothing: what
        cannot be watched is logged once.
        """
        ...

    async def hints(self) -> frozenset[Uri]:
        """Wait for changes, and return the files and directories concerned."""
        ...

    async def close(self) -> None:
        """Stop watching."""
        ...


class ChangeHints:
    """URIs that may have changed; any thread can add to them."""

    def __init__(self) -> None:
        self._uris: set[Uri] = set()
        self._not_empty = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def add(self, uri: Uri) -> None:
        """Add a hint, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._add, uri)
        except RuntimeError:  # the event loop is closed
            log.debug("ignored a change after the end of the event loop")

    def _add(self, uri: Uri) -> None:
        self._uris.add(uri)
        self._not_empty.set()

    async def take(self) -> frozenset[Uri]:
        """Wait for a hint and those that follow shortly, and return them."""
        await self._not_empty.wait()
        await asyncio.sleep(BURST_SECONDS)
        taken, self._uris = frozenset(self._uris), set()
        self._not_empty.clear()
        return taken


class _InotifyFD(InotifyFD):
    """watchdog's reader of inotify events; calls `on_overflow` when the kernel dropped some.

    watchdog itself renews its watches then, without an event.
    """

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__()
        self._on_overflow = on_overflow

    def handle_event(self, event: InotifyEvent) -> None:
        """Pass an event to watchdog; runs in a thread."""
        super().handle_event(event)
        # The watches are renewed by now, so that the scan and they together miss no change.
        if event.is_queue_overflow:
            log.debug("inotify queue overflow; scanning the whole music directory")
            self._on_overflow()


class _Observer(BaseObserver):
    """watchdog's observer, with its own inotify instance."""

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        self._inotify = _InotifyFD(on_overflow)
        emitter = partial(InotifyEmitter, inotify_fd=self._inotify)
        super().__init__(cast("type[EventEmitter]", emitter))

    def on_thread_start(self) -> None:
        """Start reading events."""
        self._inotify.start()

    def on_thread_stop(self) -> None:
        """Stop watching and close the inotify instance."""
        super().on_thread_stop()
        self._inotify.stop()
        self._inotify.join()


class InotifyWatcher:
    """Watches by inotify, which needs a watch per directory."""

    def __init__(self, root: Path) -> None:
        self._root = real_path(root)
        self._hints = ChangeHints()
        self._observer: _Observer | None = None
        self._watched: dict[Uri, tuple[str, int, int]] = {}
        self._last_problem = LastMessage()

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Watch the directory and those it links to; renew the watches after a mount or unmount."""
        wanted = await asyncio.to_thread(_existing, {WHOLE_DIRECTORY: self._root, **linked})
        if wanted == self._watched:
            return
        await self.close()
        if WHOLE_DIRECTORY not in wanted:
            return
        try:
            self._observer = await asyncio.to_thread(self._observe, wanted)
            self._watched = wanted
        except OSError as error:
            self._log_incomplete(error)

    async def hints(self) -> frozenset[Uri]:
        """Wait for changes, and return the files and directories concerned."""
        return await self._hints.take()

    async def close(self) -> None:
        """Stop watching."""
        observer, self._observer, self._watched = self._observer, None, {}
        if observer is not None:
            await asyncio.to_thread(_stop, observer)

    def _observe(self, wanted: Mapping[Uri, tuple[str, int, int]]) -> _Observer:
        # watchdog warns when it finds a directory within a new one twice, which is harmless.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer = _Observer(partial(self._hints.add, WHOLE_DIRECTORY))
        observer.start()
        try:
            for uri, (path, _, _) in wanted.items():
                handler = _Handler(path, uri, self._hints.add)
                observer.schedule(handler, path, recursive=True, event_filter=WATCHED_EVENTS)
            _require_free_watch(self._root)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                _stop(observer)
                raise
            self._log_incomplete(error)
        return observer

    def _log_incomplete(self, error: OSError) -> None:
        """Log once why watching is incomplete; the periodic scan finds what it misses."""
        limit = error.errno in {errno.ENOSPC, errno.EMFILE}
        text = f"the inotify limit is reached; {REMEDY}" if limit else str(error)
        if self._last_problem.changes_to(text):
            log.warning("not every directory of %r can be watched: %s", self._root, text)


class PollingWatcher:
    """Hints at the whole directory periodically: network shares report no changes.

    watchdog's polling observer would do the comparison that follows, too, with a second copy of the
    directory in memory.
    """

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Do nothing."""

    async def hints(self) -> frozenset[Uri]:
        """Wait, and return the whole directory."""
        await asyncio.sleep(POLL_SECONDS)
        return frozenset({WHOLE_DIRECTORY})

    async def close(self) -> None:
        """Do nothing."""


class NoWatcher:
    """Gives no hints; the periodic scan finds all changes."""

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Do nothing."""

    async def hints(self) -> frozenset[Uri]:
        """Wait forever."""
        await asyncio.Event().wait()
        return frozenset()

    async def close(self) -> None:
        """Do nothing."""


def make_watcher(root: Path, config: Music) -> Watcher:
    """Return the configured watcher; call it within the event loop."""
    match config.watch:
        case Watch.INOTIFY:
            return InotifyWatcher(root)
        case Watch.POLL:
            return PollingWatcher()
        case Watch.OFF:
            return NoWatcher()


class _Handler(FileSystemEventHandler):
    """Turns events below `path`, whose URI is `uri`, into hints."""

    def __init__(self, path: str, uri: Uri, add_hint: Callable[[Uri], None]) -> None:
        self._base = path + "/"
        self._prefix = f"{uri}/" if uri else ""
        self._add_hint = add_hint

    def dispatch(self, event: FileSystemEvent) -> None:
        """Add hints for source and destination of an event; runs in watchdog's thread."""
        for path in (event.src_path, event.dest_path):
            name = os.fsdecode(path)
            if name.startswith(self._base):
                self._add_hint(Uri(self._prefix + name.removeprefix(self._base)))
            elif name == self._base[:-1]:
                self._add_hint(Uri(self._prefix[:-1]))


def _existing(directories: Mapping[Uri, str]) -> dict[Uri, tuple[str, int, int]]:
    """Return path, device and inode of the directories that exist."""
    found: dict[Uri, tuple[str, int, int]] = {}
    for uri, path in directories.items():
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        found[uri] = (path, status.st_dev, status.st_ino)
    return found


def _require_free_watch(path: str) -> None:
    """Raise `OSError` if no inotify watch is left: for subdirectories, watchdog ignores that."""
    observer = InotifyObserver()
    observer.start()
    try:
        observer.schedule(FileSystemEventHandler(), path, event_filter=[DirDeletedEvent])
    finally:
        _stop(observer)


def _stop(observer: BaseObserver) -> None:
    observer.stop()
    observer.join()
