"""Opens the state, the services and the gRPC server, and closes them in reverse order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from anagnorisisd.clock import Clock
from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config
from anagnorisisd.console import Screen
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.rpc.server import RpcServer
from anagnorisisd.service_loops import ServiceLoop, service_loops
from anagnorisisd.servicers import make_servicers
from anagnorisisd.services import Services
from anagnorisisd.storage import state_directory
from anagnorisisd.storage.state_directory import StateMarker
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from anagnorisisd.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True)
class App:
    """The open daemon: service loops, and what the main loop needs besides."""

    clock: Clock
    stores: Stores
    server: RpcServer
    service_loops: Mapping[str, ServiceLoop]
    pools: Sequence[WorkerPool]
    reconfigure: Callable[[Config], None]
    superseded: Callable[[], Awaitable[EmbedderStamp]]


@asynccontextmanager
async def open_app(
    config: Config, paths: Paths, screen: Screen | None, selector: EmbedderSelector
) -> AsyncIterator[App]:
    """Open the state, create the services, and close all in reverse order on exit.

    Raises:
        AlreadyRunning: another daemon uses the same state directory.
        StoreError: the database is unusable or missing.
        EmbedderUnusable: the configured embedder has no usable weights.
        ConfigError: `embedding.executor` is dask, but Dask is not installed.
    """
    async with AsyncExitStack() as stack:
        marker = StateMarker(paths.state, paths.cache)
        marker.check(paths.state / FILE_NAME)
        stack.enter_context(state_directory.lock(paths.state))
        stores = await open_stores(paths.state)
        stack.push_async_callback(stores.close)
        marker.write()
        services = Services(config, paths, selector, stores, stack)
        time_call = services.metrics_sink.time_call if services.metrics_sink else None
        server = RpcServer(config.rpc, paths.socket, make_servicers(services), time_call)
        stack.push_async_callback(server.stop)
        yield App(
            clock=services.clock,
            stores=stores,
            server=server,
            service_loops=service_loops(services, screen),
            pools=services.pools,
            reconfigure=services.reconfigure,
            superseded=services.embedding.superseded,
        )
