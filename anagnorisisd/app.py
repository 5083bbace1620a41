"""Opens the state, the services and the gRPC server, and closes them in reverse order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from anagnorisisd.clock import Clock
from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config
from anagnorisisd.console import Screen
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.library.audio_reader import AudioReader
from anagnorisisd.library.covers import Covers
from anagnorisisd.library.file_access import real_path
from anagnorisisd.listening.playback_control import PlaybackControl
from anagnorisisd.ratings.import_export import ImportExport
from anagnorisisd.ratings.importable_ratings import ImportableRatings
from anagnorisisd.report import service as report_worker
from anagnorisisd.report.service import ReportService
from anagnorisisd.rpc.daemon_service import DaemonServicer, StatusPaths, StatusReader
from anagnorisisd.rpc.evaluator_service import EvaluatorServicer
from anagnorisisd.rpc.event_stream import EventStream
from anagnorisisd.rpc.file_streams import FileStreams
from anagnorisisd.rpc.history_service import HistoryServicer
from anagnorisisd.rpc.library_service import LibraryServicer
from anagnorisisd.rpc.pick_service import PickServicer
from anagnorisisd.rpc.playback_service import PlaybackReader, PlaybackServicer
from anagnorisisd.rpc.rating_service import RatingServicer
from anagnorisisd.rpc.server import RpcServer, Servicers
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.service_loops import ServiceLoop, service_loops
from anagnorisisd.services import READER_MEMORY_BYTES, Services
from anagnorisisd.storage import state_directory
from anagnorisisd.storage.backups import BackupStream
from anagnorisisd.storage.state_directory import StateMarker
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from anagnorisisd.taste.nearest_tracks import NearestTracks
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

REPORT_IDLE_SECONDS = 5.0
COVER_IDLE_SECONDS = 10.0
COVER_WORKERS = 2
"""Apart from the workers of a scan, for which a page would have to wait."""


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
        server = RpcServer(config.rpc, paths.socket, _servicers(services), time_call)
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


def _servicers(services: Services) -> Servicers:
    stores = services.stores
    tracks = TrackLookup(services.track_resolver, stores.library, services.embedding.stamp)
    playback = PlaybackReader(services.player, stores.library, tracks)
    return Servicers(
        ratings=RatingServicer(services.ratings, stores.ratings, tracks),
        library=_library_servicer(services, tracks),
        picks=PickServicer(
            picks=services.pick_service,
            explanations=services.training.explanations,
            steering=services.steering,
            tracks=tracks,
            clock=services.clock,
            default_count=lambda: services.config.picks.ahead,
        ),
        evaluators=EvaluatorServicer(services.training, stores.evaluators),
        daemon=_daemon_servicer(services, tracks, playback),
        history=_history_servicer(services, tracks),
        playback=PlaybackServicer(
            PlaybackControl(stores.library, services.player), playback, tracks
        ),
    )


def _library_servicer(services: Services, tracks: TrackLookup) -> LibraryServicer:
    stamp = services.embedding.stamp
    return LibraryServicer(
        library=services.library,
        store=services.stores.library,
        embedding=services.embedding,
        embeddings=services.stores.embeddings,
        similar=NearestTracks(services.stores.embeddings, stamp),
        sound_tags=services.sound_tags,
        tracks=tracks,
        files=_file_streams(services, tracks),
        enqueue=services.pick_service.enqueue,
        stamp=stamp,
    )


def _file_streams(services: Services, tracks: TrackLookup) -> FileStreams:
    library, path = services.stores.library, services.library.path
    workers = services.open_pool(
        "cover",
        size=COVER_WORKERS,
        idle_seconds=COVER_IDLE_SECONDS,
        memory_bytes=READER_MEMORY_BYTES,
        readable_paths=ReadablePaths(real_path(services.paths.music)),
    )
    return FileStreams(Covers(library, path, workers), AudioReader(library, path), tracks)


def _daemon_servicer(
    services: Services, tracks: TrackLookup, playback: PlaybackReader
) -> DaemonServicer:
    status = StatusReader(
        library=services.stores.library,
        player=services.player,
        player_database=services.player_database,
        playback=playback,
        tracks=tracks,
        embedding=services.embedding,
        picks=services.pick_service,
        training=services.training,
        paths=StatusPaths(services.paths.music, services.paths.state, services.paths.models),
        steering=services.steering,
    )
    return DaemonServicer(
        status,
        EventStream(services.events, services.clock),
        BackupStream(services.stores.database.path),
        _report_service(services),
    )


def _history_servicer(services: Services, tracks: TrackLookup) -> HistoryServicer:
    import_export = ImportExport(
        library=services.stores.library,
        history=services.stores.ratings,
        plays=services.stores.plays,
        ratings=services.ratings,
        clock=services.clock,
        stamp=services.embedding.stamp,
    )
    importable_ratings = ImportableRatings(
        services.stores.library, services.player, services.library.path, services.reader_pool
    )
    return HistoryServicer(import_export, importable_ratings, services.stores.plays, tracks)


def _report_service(services: Services) -> ReportService:
    return ReportService(
        library=services.stores.library,
        ratings=services.stores.ratings,
        plays=services.stores.plays,
        embeddings=services.stores.embeddings,
        evaluators=services.stores.evaluators,
        queue=services.stores.queue,
        draw=partial(
            report_worker.draw,
            services.open_pool(
                "report",
                idle_seconds=REPORT_IDLE_SECONDS,
                readable_paths=ReadablePaths(None, writable=[services.paths.cache]),
            ),
            services.paths.cache,
        ),
        clock=services.clock,
        stamp=services.embedding.stamp,
    )
