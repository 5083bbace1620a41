"""`DaemonService`: how everything stands, and what happens."""

from collections.abc import AsyncIterator
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceServicer
from anagnorisisd.rpc.standing import Standing
from anagnorisisd.rpc.watching import Watching

Context = ServicerContext[Any, Any]


class DaemonServicer(DaemonServiceServicer):
    """Answers about the daemon as a whole."""

    def __init__(self, standing: Standing, watching: Watching) -> None:
        self._standing = standing
        self._watching = watching

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
