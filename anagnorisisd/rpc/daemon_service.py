"""`DaemonService`: status, events, backups and reports."""

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
"""Size of a chunk of a report: a report may exceed the message size limit of clients, 4 MiB."""


class DaemonServicer(DaemonServiceServicer):
    """Implements `DaemonService`."""

    def __init__(
        self, status: StatusReader, events: EventStream, backups: Copier, reports: Drawer
    ) -> None:
        self._status = status
        self._events = events
        self._backups = backups
        self._reports = reports

    async def GetStatus(
        self, request: messages.GetStatusRequest, context: Context
    ) -> messages.GetStatusResponse:
        """Return the status of the daemon."""
        return await self._status.read()

    async def WatchEvents(
        self, request: messages.WatchEventsRequest, context: Context
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """Stream events until the caller cancels."""
        async for message in self._events.follow(request):
            yield message

    async def CreateBackup(
        self, request: messages.CreateBackupRequest, context: Context
    ) -> AsyncIterator[messages.CreateBackupResponse]:
        """Stream a copy of the database."""
        async with aclosing(self._backups.chunks()) as chunks:
            async for chunk in chunks:
                yield messages.CreateBackupResponse(chunk=chunk)

    async def GenerateReport(
        self, request: messages.GenerateReportRequest, context: Context
    ) -> AsyncIterator[messages.GenerateReportResponse]:
        """Stream a report on ratings, evaluator and library as HTML."""
        page = (await self._reports.html()).encode(errors="replace")
        for start in range(0, len(page), CHUNK_BYTES):
            yield messages.GenerateReportResponse(chunk=page[start : start + CHUNK_BYTES])
