"""The gRPC server: its listeners, and limits so that one client cannot starve the others."""

import logging
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from anagnorisis.v1 import (
    daemon_pb2,
    daemon_pb2_grpc,
    evaluator_pb2,
    evaluator_pb2_grpc,
    history_pb2,
    history_pb2_grpc,
    library_pb2,
    library_pb2_grpc,
    pick_pb2,
    pick_pb2_grpc,
    playback_pb2,
    playback_pb2_grpc,
    rating_pb2,
    rating_pb2_grpc,
)
from anagnorisisd.config.schema import Rpc
from anagnorisisd.errors import ConfigError
from anagnorisisd.rpc import tcp_auth, unix_socket
from anagnorisisd.rpc.call_timing import CallTiming, RecordCall
from anagnorisisd.rpc.daemon_service import DaemonServicer
from anagnorisisd.rpc.errors import ErrorTranslation
from anagnorisisd.rpc.evaluator_service import EvaluatorServicer
from anagnorisisd.rpc.history_service import HistoryServicer
from anagnorisisd.rpc.library_service import LibraryServicer
from anagnorisisd.rpc.pick_service import PickServicer
from anagnorisisd.rpc.playback_service import PlaybackServicer
from anagnorisisd.rpc.rating_service import RatingServicer
from anagnorisisd.rpc.tcp_connection_limit import TcpRelay
from anagnorisisd.rpc.unix_socket import UnixRelay, limit_permissions, lock_socket
from anagnorisisd.runtime.event_loop import all_completed

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 4 * unix_socket.MAX_CONNECTIONS
"""Limit of open connections.

Higher than the limit of the relay, because connections that the relay closed stay open here for a
moment.
"""

HANDSHAKE_MILLISECONDS = 10_000
"""Time for the HTTP/2 and TLS handshake, after which gRPC closes the connection."""

IDLE_MILLISECONDS = 600_000
"""A connection without a call is closed after this time; clients reconnect automatically."""

MAX_CALLS_PER_CONNECTION = 32
"""Limit of concurrent calls on a connection, event streams included; the client queues the others.

`MAX_CALLS` allows this number on every connection, so connections do not compete for calls.
"""

MAX_CALLS = MAX_CONNECTIONS * MAX_CALLS_PER_CONNECTION

LIMITS = (
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MILLISECONDS),
    ("grpc.max_connection_idle_ms", IDLE_MILLISECONDS),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
    # By default gRPC randomly refuses calls, of any client, when 1000 or more are pending.
    ("grpc.server.max_pending_requests", MAX_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_CALLS),
    ("grpc.so_reuseport", 0),
)

GRACE_SECONDS = 1.0

SERVICE_NAMES = tuple(
    service.full_name
    for package in (
        daemon_pb2,
        evaluator_pb2,
        history_pb2,
        library_pb2,
        pick_pb2,
        playback_pb2,
        rating_pb2,
    )
    for service in package.DESCRIPTOR.services_by_name.values()
)

MAX_SOCKET_PATH_BYTES = 107
"""Limit of `sun_path`, unix(7); also in `config.paths`, which this package does not import."""

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


@dataclass(frozen=True, slots=True)
class Servicers:
    """The servicers of all services of the API."""

    ratings: RatingServicer
    library: LibraryServicer
    picks: PickServicer
    evaluators: EvaluatorServicer
    daemon: DaemonServicer
    history: HistoryServicer
    playback: PlaybackServicer


class RpcServer:
    """Serves the API, health checks and reflection; `timed` receives the duration of each call."""

    def __init__(
        self, config: Rpc, socket: Path, servicers: Servicers, timed: RecordCall | None = None
    ) -> None:
        self._config = config
        self._socket = socket
        self._servicers = servicers
        self._timing = () if timed is None else (CallTiming(timed),)
        self._health = health.aio.HealthServicer()
        self._resources = AsyncExitStack()

    async def start(self) -> None:
        """Listen on the Unix socket, and on TCP if it is configured.

        Raises:
            AlreadyRunning: another daemon listens on the socket.
            ConfigError: an address is not available, or the TCP configuration is insecure.
        """
        tcp = tcp_auth.tcp_config(self._config.tcp)
        async with AsyncExitStack() as resources:
            shared = self._config.share_with_group
            resources.enter_context(lock_socket(self._socket, 0o750 if shared else 0o700))
            await self._serve_unix(resources, 0o660 if shared else 0o600)
            log.info("listening on unix:%s", self._socket)
            if tcp is not None:
                await self._serve_tcp(resources, tcp)
            self._resources = resources.pop_all()
        for name in ("", *SERVICE_NAMES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Refuse new calls, wait up to `GRACE_SECONDS` for running calls, and remove the socket."""
        await self._health.enter_graceful_shutdown()
        await self._resources.aclose()

    async def _serve_unix(self, resources: AsyncExitStack, mode: int) -> None:
        """Serve on the Unix socket, through a relay to a socket of mode 0600."""
        inner = _inner_path(self._socket)
        relay = UnixRelay(inner)
        resources.callback(inner.unlink, missing_ok=True)
        resources.push_async_callback(relay.close)
        with limit_permissions(0o600):
            await self._serve(resources, f"unix:{inner}")
        # The umask sets the socket's mode at bind time. With a later chmod, other users could
        # connect in between.
        try:
            with limit_permissions(mode):
                await relay.listen_at(self._socket)
        except OSError as error:
            raise ConfigError([f"rpc.socket: {self._socket}: {error.strerror}"]) from error
        resources.callback(relay.stop_listening)

    async def _serve_tcp(self, resources: AsyncExitStack, config: tcp_auth.TcpConfig) -> None:
        """Serve on TCP, through a relay to a Unix socket of mode 0600."""
        inner = self._socket.with_name(f"{self._socket.name}.tcp")
        if len(os.fsencode(inner)) > MAX_SOCKET_PATH_BYTES:
            raise ConfigError([f"rpc.socket: {inner} is too long for a socket; set a shorter one"])
        relay = TcpRelay(inner)
        authentication = tcp_auth.TokenAuth(config.token, relay.mark_authenticated)
        resources.callback(inner.unlink, missing_ok=True)
        resources.push_async_callback(relay.close)
        with limit_permissions(0o600):
            await self._serve(resources, f"unix:{inner}", (authentication,), config.credentials)
        try:
            await relay.listen(config.host, config.port)
        except OSError as error:
            address = f"{config.host}:{config.port}"
            raise ConfigError([f"rpc: cannot listen on {address}: {error.strerror}"]) from error
        resources.callback(relay.stop_listening)
        log.info("listening on %s:%s", config.host, config.port)

    async def _serve(
        self,
        resources: AsyncExitStack,
        address: str,
        interceptors: tuple[aio.ServerInterceptor, ...] = (),
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """Start a server on one address; closing `resources` stops it."""
        server = aio.server(
            interceptors=(*self._timing, *interceptors, ErrorTranslation()),
            options=LIMITS,
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        self._register(server)
        try:
            if credentials is None:
                server.add_insecure_port(address)
            else:
                server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise ConfigError([f"rpc: cannot listen on {address}; is it taken?"]) from error
        await server.start()
        resources.push_async_callback(all_completed)
        resources.push_async_callback(server.stop, GRACE_SECONDS)

    def _register(self, server: aio.Server) -> None:
        servicers = self._servicers
        rating_pb2_grpc.add_RatingServiceServicer_to_server(servicers.ratings, server)
        library_pb2_grpc.add_LibraryServiceServicer_to_server(servicers.library, server)
        pick_pb2_grpc.add_PickServiceServicer_to_server(servicers.picks, server)
        evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server(servicers.evaluators, server)
        daemon_pb2_grpc.add_DaemonServiceServicer_to_server(servicers.daemon, server)
        history_pb2_grpc.add_HistoryServiceServicer_to_server(servicers.history, server)
        playback_pb2_grpc.add_PlaybackServiceServicer_to_server(servicers.playback, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        _register_reflection(server)


def _inner_path(socket: Path) -> Path:
    """Return the path of a hidden socket in the same folder.

    The same length keeps it within the length limit of socket paths.
    """
    names = (f"{first}{socket.name[1:]}" for first in "._-")
    return socket.with_name(next(name for name in names if name not in {socket.name, ".", ".."}))


def _register_reflection(server: aio.Server) -> None:
    """Register reflection as v1alpha, and as v1, which newer clients try first.

    grpcio-reflection implements v1alpha only. The messages of v1 have the same encoding and names.
    """
    servicer = reflection.aio.ReflectionServicer(
        (*SERVICE_NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
    )
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REFLECTION_V1, methods),))
