"""The daemon's gRPC services, for asyncio."""

from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from anagnorisis import connection, remote
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisis.v1.evaluator_pb2_grpc import EvaluatorServiceStub
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.pick_pb2_grpc import PickServiceStub
from anagnorisis.v1.playback_pb2_grpc import PlaybackServiceStub
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub

TIMEOUT_SECONDS = connection.SECONDS_TO_ANSWER
RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
)
"""A page that is open shows a daemon that is back within seconds; gRPC's default is two minutes."""


Answer = TypeVar("Answer")


class Daemon:
    """The stubs of all services over one channel, which reconnects by itself."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self.address = address
        self._channel = channel
        self.daemon = DaemonServiceStub(channel)
        self.evaluators = EvaluatorServiceStub(channel)
        self.library = LibraryServiceStub(channel)
        self.picks = PickServiceStub(channel)
        self.playback = PlaybackServiceStub(channel)
        self.ratings = RatingServiceStub(channel)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def answer_or_reason(self, call: Awaitable[Answer]) -> tuple[Answer | None, str]:
        """Return the answer; or if the state of the daemon or track forbids it, the reason."""
        try:
            return await call, ""
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            return None, self.describe(error)

    def describe(self, error: grpc.aio.AioRpcError) -> str:
        """Return the message of an error, in words for the listener."""
        return str(connection.failed(error, self.address))


def connect(arguments: Namespace) -> Daemon:
    """Open a channel to the daemon that the command line selects; call it in a running loop.

    Raises:
        anagnorisis.errors.Failed: the address, token or certificate cannot be used.
    """
    if connection.is_remote(arguments):
        place = connection.remote_place(arguments)
        header = remote.token_header(place)
        credentials = remote.channel_credentials(place)
        interceptors = (_UnaryToken(header), _StreamToken(header))
        channel = (
            grpc.aio.secure_channel(place.address, credentials, RECONNECT, None, interceptors)
            if credentials
            else grpc.aio.insecure_channel(place.address, RECONNECT, None, interceptors)
        )
        return Daemon(channel, place.address)
    path = connection.socket_path(arguments)
    return Daemon(grpc.aio.insecure_channel(connection.socket_target(path), RECONNECT), path)


class _Token:
    def __init__(self, header: tuple[str, str]) -> None:
        self._header = header

    def _add(self, details: Any) -> Any:
        metadata = details.metadata or grpc.aio.Metadata()
        metadata.add(*self._header)
        return details._replace(metadata=metadata)


class _UnaryToken(_Token, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self._add(client_call_details), request)


class _StreamToken(_Token, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self._add(client_call_details), request)
