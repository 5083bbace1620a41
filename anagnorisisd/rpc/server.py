"""The gRPC server: what it listens on, and the limits that keep one caller from hurting others."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from anagnorisis.v1 import (
    daemon_pb2,
    daemon_pb2_grpc,
    evaluator_pb2,
    evaluator_pb2_grpc,
    library_pb2,
    library_pb2_grpc,
    pick_pb2,
    pick_pb2_grpc,
    rating_pb2,
    rating_pb2_grpc,
)
from anagnorisisd.config.schema import Rpc
from anagnorisisd.errors import ConfigError
from anagnorisisd.rpc.daemon import DaemonServicer
from anagnorisisd.rpc.errors import ErrorTranslation
from anagnorisisd.rpc.evaluator import EvaluatorServicer
from anagnorisisd.rpc.library import LibraryServicer
from anagnorisisd.rpc.pick import PickServicer
from anagnorisisd.rpc.rating import RatingServicer
from anagnorisisd.rpc.settled import all_settled
from anagnorisisd.rpc.socket import narrow, reserved

log = logging.getLogger(__name__)

LIMITS = (
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.so_reuseport", 0),
)
MOST_CALLS = 1000
"""Calls under way at once, watchers included; further ones are told RESOURCE_EXHAUSTED."""

GRACE_SECONDS = 1.0

PACKAGES = (daemon_pb2, evaluator_pb2, library_pb2, pick_pb2, rating_pb2)


@dataclass(frozen=True, slots=True)
class Servicers:
    """One servicer for each service of the contract."""

    ratings: RatingServicer
    library: LibraryServicer
    picks: PickServicer
    evaluators: EvaluatorServicer
    daemon: DaemonServicer


class RpcServer:
    """Serves the contract, health checks and reflection."""

    def __init__(self, config: Rpc, socket: Path, servicers: Servicers) -> None:
        self._config = config
        self._socket = socket
        self._servicers = servicers
        self._held = ExitStack()
        self._health = health.aio.HealthServicer()
        self._server: aio.Server | None = None

    async def start(self) -> None:
        """Listen and answer.

        Raises:
            AlreadyRunning: another daemon listens on the socket.
            ConfigError: what is configured cannot be listened on.
        """
        with ExitStack() as held:
            held.enter_context(reserved(self._socket))
            server = aio.server(
                interceptors=(ErrorTranslation(),),
                options=LIMITS,
                maximum_concurrent_rpcs=MOST_CALLS,
            )
            names = self._register(server)
            self._bind(server)
            await server.start()
            self._held = held.pop_all()
        self._server = server
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("listening on %s", self._socket)

    async def stop(self) -> None:
        """Refuse new calls, let those under way end within a second, and remove the socket."""
        if self._server is None:
            return
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE_SECONDS)
        await all_settled()
        self._held.close()
        self._server = None

    def _bind(self, server: aio.Server) -> None:
        # The kernel takes the socket's mode from the umask at the moment of binding; a chmod
        # afterwards would leave a gap.
        with narrow(0o660 if self._config.share_with_group else 0o600):
            try:
                server.add_insecure_port(f"unix:{self._socket}")
            except RuntimeError as error:
                raise ConfigError([f"rpc.socket: cannot listen on {self._socket}"]) from error

    def _register(self, server: aio.Server) -> Sequence[str]:
        parts = self._servicers
        rating_pb2_grpc.add_RatingServiceServicer_to_server(parts.ratings, server)
        library_pb2_grpc.add_LibraryServiceServicer_to_server(parts.library, server)
        pick_pb2_grpc.add_PickServiceServicer_to_server(parts.picks, server)
        evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server(parts.evaluators, server)
        daemon_pb2_grpc.add_DaemonServiceServicer_to_server(parts.daemon, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [
            service.full_name
            for package in PACKAGES
            for service in package.DESCRIPTOR.services_by_name.values()
        ]
        reflection.enable_server_reflection(
            (*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        return names
