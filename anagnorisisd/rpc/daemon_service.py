"""`DaemonService`: how everything stands, what happens, and what is known as a whole."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceServicer
from anagnorisisd.rpc.event_stream import EventStream
from anagnorisisd.rpc.roles import Copier, Drawer
from anagnorisisd.rpc.status import StatusReader

Context = ServicerContext[Any, Any]

CHUNK_BYTES = 256 << 10
"""Callers take no message above a few megabytes; a report may be larger."""


class DaemonServicer(DaemonServiceServicer):
    """Answers about the daemon as a whole."""

    def __init__(
        self, standing: StatusReader, watching: EventStream, copier: Copier, drawer: Drawer
    ) -> None:
        self._standing = standing
        self._watching = watching
        self._copier = copier
        self._drawer = drawer

    async def GetStatus(
        self, request: messages.GetStatusRequest, context: Context
    ) -> messages.GetStatusResponse:
        """Return how everything stands."""
        return await self._standing.read()

    async def WatchEvents(
        self, request: messages.WatchEventsRequest, context: Context
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """Follow what happens until the caller leaves."""
        async for message in self._watching.follow(request):
            yield message

    async def CreateBackup(
        self, request: messages.CreateBackupRequest, context: Context
    ) -> AsyncIterator[messages.CreateBackupResponse]:
        """Send a copy of all that is known."""
        async with aclosing(self._copier.chunks()) as chunks:
            async for chunk in chunks:
                yield messages.CreateBackupResponse(chunk=chunk)

    async def GenerateReport(
        self, request: messages.GenerateReportRequest, context: Context
    ) -> AsyncIterator[messages.GenerateReportResponse]:
        """Send a report on ratings, evaluator and library."""
        page = (await self._drawer.html()).encode(errors="replace")
        for start in range(0, len(page), CHUNK_BYTES):
            yield messages.GenerateReportResponse(chunk=page[start : start + CHUNK_BYTES])
