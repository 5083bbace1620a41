"""Scans of the music directory that were started on a page, and how far they are."""

import asyncio
import time

import grpc

from anagnorisis.v1.library_pb2 import ScanLibraryRequest, ScanLibraryResponse
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.live import LiveEvents

EVENT = "scan_progress"
"""Event for all open pages: a scan goes on, or has ended."""
SECONDS_BETWEEN_EVENTS = 0.5


class LibraryScan:
    """The scan that runs, or else the last one. All pages share it."""

    def __init__(self, daemon: Daemon, events: LiveEvents) -> None:
        self._daemon = daemon
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self.progress: ScanLibraryResponse | None = None
        self.problem = ""
        """Why the last scan failed; empty if it did not."""

    @property
    def running(self) -> bool:
        """Return whether a scan that was started on a page goes on."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start a scan; while one is running, do nothing."""
        if not self.running:
            self.progress, self.problem = None, ""
            self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        published = 0.0
        try:
            async for progress in self._daemon.library.ScanLibrary(ScanLibraryRequest()):
                self.progress = progress
                self.problem = progress.error
                if time.monotonic() - published >= SECONDS_BETWEEN_EVENTS:
                    published = time.monotonic()
                    self._events.publish(EVENT)
        except grpc.aio.AioRpcError as error:
            self.problem = self._daemon.describe(error)
        # The pages ask again at once, and have to see that it has ended.
        asyncio.get_running_loop().call_soon(self._events.publish, EVENT)
