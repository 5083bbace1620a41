"""The gRPC server: what it listens on, and the limits that keep one caller from hurting others."""

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
    rating_pb2,
    rating_pb2_grpc,
)
from anagnorisisd.config.schema import Rpc
from anagnorisisd.errors import ConfigError
from anagnorisisd.rpc import tcp_auth, unix_relay
from anagnorisisd.rpc.call_timing import CallTiming, Told
from anagnorisisd.rpc.daemon_service import DaemonServicer
from anagnorisisd.rpc.errors import ErrorTranslation
from anagnorisisd.rpc.evaluator_service import EvaluatorServicer
from anagnorisisd.rpc.history_service import HistoryServicer
from anagnorisisd.rpc.library_service import LibraryServicer
from anagnorisisd.rpc.pick_service import PickServicer
from anagnorisisd.rpc.rating_service import RatingServicer
from anagnorisisd.rpc.shielded_calls import all_shielded_calls
from anagnorisisd.rpc.socket import narrow, reserved
from anagnorisisd.rpc.tcp_relay import Relay
from anagnorisisd.rpc.unix_relay import UnixRelay

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 4 * unix_relay.MOST_CONNECTIONS
"""Open at once. The relay in front has fewer, but those that it closed linger here for a moment."""

HANDSHAKE_MILLISECONDS = 10_000
"""Who has said nothing sensible until then is hung up on, and so makes room for others."""

IDLE_MILLISECONDS = 600_000
"""So long a connection may stay open without a call; clients connect again by themselves."""

MOST_CALLS_OF_ONE = 32
"""Calls under way at once on one connection, watchers included; further ones wait in the client.

There is room for that many on every connection, so nobody takes the place of anybody else.
"""

MOST_CALLS = MOST_CONNECTIONS * MOST_CALLS_OF_ONE

LIMITS = (
    ("grpc.max_allowed_incoming_connections", MOST_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MILLISECONDS),
    ("grpc.max_connection_idle_ms", IDLE_MILLISECONDS),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", MOST_CALLS_OF_ONE),
    # From 1000 calls on that begin at once gRPC would refuse some by chance, whosever they are.
    ("grpc.server.max_pending_requests", MOST_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MOST_CALLS),
    ("grpc.so_reuseport", 0),
)

GRACE_SECONDS = 1.0

NAMES = tuple(
    service.full_name
    for package in (daemon_pb2, evaluator_pb2, history_pb2, library_pb2, pick_pb2, rating_pb2)
    for service in package.DESCRIPTOR.services_by_name.values()
)

LONGEST_SOCKET_PATH_BYTES = 107
"""As in `config.places`, which this package does not import."""

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


@dataclass(frozen=True, slots=True)
class Servicers:
    """One servicer for each service of the contract."""

    ratings: RatingServicer
    library: LibraryServicer
    picks: PickServicer
    evaluators: EvaluatorServicer
    daemon: DaemonServicer
    history: HistoryServicer


class RpcServer:
    """Serves the contract, health checks and reflection; `timed` is told how long calls took."""

    def __init__(
        self, config: Rpc, socket: Path, servicers: Servicers, timed: Told | None = None
    ) -> None:
        self._config = config
        self._socket = socket
        self._servicers = servicers
        self._timing = () if timed is None else (CallTiming(timed),)
        self._health = health.aio.HealthServicer()
        self._held = AsyncExitStack()

    async def start(self) -> None:
        """Listen and answer.

        Raises:
            AlreadyRunning: another daemon listens on the socket.
            ConfigError: what is configured cannot be listened on, or should not be.
        """
        door = tcp_auth.tcp_config(self._config.tcp)
        async with AsyncExitStack() as held:
            shared = self._config.share_with_group
            held.enter_context(reserved(self._socket, 0o750 if shared else 0o700))
            await self._serve_unix(held, 0o660 if shared else 0o600)
            log.info("listening on unix:%s", self._socket)
            if door is not None:
                await self._serve_tcp(held, door)
            self._held = held.pop_all()
        for name in ("", *NAMES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Refuse new calls, let those under way end within a second, and remove the socket."""
        await self._health.enter_graceful_shutdown()
        await self._held.aclose()

    async def _serve_unix(self, held: AsyncExitStack, mode: int) -> None:
        """Serve on the Unix socket, by a relay in front of one that only we can use."""
        inner = _name_of_same_length(self._socket)
        relay = UnixRelay(inner)
        held.callback(inner.unlink, missing_ok=True)
        held.push_async_callback(relay.close)
        with narrow(0o600):
            await self._serve(held, f"unix:{inner}")
        # The kernel takes the socket's mode from the umask at the moment of binding; a chmod
        # afterwards would leave a gap.
        try:
            with narrow(mode):
                await relay.listen_at(self._socket)
        except OSError as error:
            raise ConfigError([f"rpc.socket: {self._socket}: {error.strerror}"]) from error
        held.callback(relay.stop_listening)

    async def _serve_tcp(self, held: AsyncExitStack, door: tcp_auth.TcpConfig) -> None:
        """Serve on TCP, by a relay in front of a Unix socket that only we can use."""
        inner = self._socket.with_name(f"{self._socket.name}.tcp")
        if len(os.fsencode(inner)) > LONGEST_SOCKET_PATH_BYTES:
            raise ConfigError([f"rpc.socket: {inner} is too long for a socket; set a shorter one"])
        relay = Relay(inner)
        keeper = tcp_auth.TokenAuth(door.token, relay.recognise)
        held.callback(inner.unlink, missing_ok=True)
        held.push_async_callback(relay.close)
        with narrow(0o600):
            await self._serve(held, f"unix:{inner}", (keeper,), door.credentials)
        try:
            await relay.listen(door.host, door.port)
        except OSError as error:
            place = f"{door.host}:{door.port}"
            raise ConfigError([f"rpc: cannot listen on {place}: {error.strerror}"]) from error
        held.callback(relay.stop_listening)
        log.info("listening on %s:%s", door.host, door.port)

    async def _serve(
        self,
        held: AsyncExitStack,
        address: str,
        guards: tuple[aio.ServerInterceptor, ...] = (),
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """Start a server on one address; `held` stops it."""
        server = aio.server(
            interceptors=(*self._timing, *guards, ErrorTranslation()),
            options=LIMITS,
            maximum_concurrent_rpcs=MOST_CALLS,
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
        held.push_async_callback(all_shielded_calls)
        held.push_async_callback(server.stop, GRACE_SECONDS)

    def _register(self, server: aio.Server) -> None:
        parts = self._servicers
        rating_pb2_grpc.add_RatingServiceServicer_to_server(parts.ratings, server)
        library_pb2_grpc.add_LibraryServiceServicer_to_server(parts.library, server)
        pick_pb2_grpc.add_PickServiceServicer_to_server(parts.picks, server)
        evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server(parts.evaluators, server)
        daemon_pb2_grpc.add_DaemonServiceServicer_to_server(parts.daemon, server)
        history_pb2_grpc.add_HistoryServiceServicer_to_server(parts.history, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        _reflect(server)


def _name_of_same_length(socket: Path) -> Path:
    """Return the path of a hidden socket beside `socket` that is no longer than it."""
    return socket.with_name(f"{'_' if socket.name[0] == '.' else '.'}{socket.name[1:]}")


def _reflect(server: aio.Server) -> None:
    """Serve reflection as v1alpha, and as v1, which newer clients ask for first.

    grpcio-reflection has v1alpha only. The messages of v1 are the same, on the wire and by name.
    """
    servicer = reflection.aio.ReflectionServicer(
        (*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
    )
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REFLECTION_V1, methods),))
