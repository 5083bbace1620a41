"""Application wiring: creates the services and passes each what it needs.

Resources are closed in the reverse order of their opening, also after an error.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anagnorisisd
from anagnorisisd.clock import Clock, SystemClock
from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config, Executor
from anagnorisisd.console import Screen
from anagnorisisd.console.snapshot_source import SnapshotSource
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan
from anagnorisisd.embedding.dask.embedder import DaskEmbedder
from anagnorisisd.embedding.embedder import Embedder
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.service import EmbeddingService, on_battery
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.events import Events
from anagnorisisd.library.file_access import real_path
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.library.watcher import make_watcher
from anagnorisisd.listening.player_monitor import PlayerMonitor
from anagnorisisd.listening.service import PlayService
from anagnorisisd.metrics.collector import MetricsCollector, MetricsSink
from anagnorisisd.mpd.player import MpdPlayer
from anagnorisisd.picks.service import PickService
from anagnorisisd.ratings.external_ratings import ExternalRatings
from anagnorisisd.ratings.import_export import ImportExport
from anagnorisisd.ratings.message_channel import MessageChannel
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.sticker_service import StickerService
from anagnorisisd.ratings.tag_ratings import TagRatingReader
from anagnorisisd.ratings.tag_writer import TagWriter
from anagnorisisd.report import worker as report_worker
from anagnorisisd.report.service import ReportService
from anagnorisisd.rpc.daemon_service import DaemonServicer
from anagnorisisd.rpc.evaluator_service import EvaluatorServicer
from anagnorisisd.rpc.event_stream import EventStream
from anagnorisisd.rpc.history_service import HistoryServicer
from anagnorisisd.rpc.library_service import LibraryServicer
from anagnorisisd.rpc.pick_service import PickServicer
from anagnorisisd.rpc.rating_service import RatingServicer
from anagnorisisd.rpc.server import RpcServer, Servicers
from anagnorisisd.rpc.status import StatusPaths, StatusReader
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.runtime.scheduler import ApScheduler
from anagnorisisd.storage import state_lock
from anagnorisisd.storage.backups import BackupStream
from anagnorisisd.storage.state_marker import StateMarker
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from anagnorisisd.taste.nearest_tracks import NearestTracks
from anagnorisisd.taste.training_scheduler import TrainingScheduler
from anagnorisisd.taste.worker_evaluator import WorkerEvaluator
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

READER_IDLE_SECONDS = 5.0
# Far more than the tags and covers of one file need; stops a decompression bomb.
READER_MEMORY_BYTES = 512 << 20
EVALUATOR_IDLE_SECONDS = 60.0
REPORT_IDLE_SECONDS = 5.0

ServiceLoop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class App:
    """The assembled daemon: its service loops, and what the main loop needs of the rest."""

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
        stack.enter_context(state_lock.held(paths.state))
        stores = await open_stores(paths.state)
        stack.push_async_callback(stores.close)
        marker.write()
        yield _AppBuilder(config, paths, selector, stores, stack).build(screen)


class _AppBuilder:
    """Creates the services; each method creates one."""

    def __init__(
        self,
        config: Config,
        paths: Paths,
        selector: EmbedderSelector,
        stores: Stores,
        stack: AsyncExitStack,
    ) -> None:
        self._config = config
        self._paths = paths
        self._stores = stores
        self._stack = stack
        self._pools: list[WorkerPool] = []
        self._clock = SystemClock()
        self._events = Events(self._clock)
        self._reader_pool = self._pool(
            "reading",
            # At least two, so that one file that hangs does not block the others.
            size=max(2, len(os.sched_getaffinity(0))),
            idle_seconds=READER_IDLE_SECONDS,
            memory_bytes=READER_MEMORY_BYTES,
            reach=ReadablePaths(real_path(paths.music)),
        )
        self._library = self._make_library()
        self._embedding = self._make_embedding(selector)
        self._training = self._make_training()
        self._player = MpdPlayer(config.mpd, paths.music, config.ratings.channel, self._clock)
        self._ratings = RatingService(stores.ratings, self._events, self._clock)
        self._track_resolver = TrackResolver(stores.library, self._player)
        self._pick_service = self._make_pick_service()
        self._play_service = self._make_play_service()
        self._sticker_service = self._make_sticker_service()
        self._metrics_sink = self._make_metrics_sink()

    def build(self, screen: Screen | None) -> App:
        """Return the assembled daemon."""
        timed = self._metrics_sink.time_call if self._metrics_sink else None
        server = RpcServer(self._config.rpc, self._paths.socket, self._servicers(), timed)
        self._stack.push_async_callback(server.stop)
        return App(
            clock=self._clock,
            stores=self._stores,
            server=server,
            service_loops=self._service_loops(screen),
            pools=self._pools,
            reconfigure=self._reconfigure,
            superseded=self._embedding.superseded,
        )

    def _reconfigure(self, config: Config) -> None:
        """Pass each service its changed section; only `Live` keys differ."""
        before, self._config = self._config, config
        if config.music != before.music:
            self._library.reconfigure(config.music)
        if config.picks != before.picks:
            self._pick_service.reconfigure(config.picks)
        if config.listening != before.listening:
            self._play_service.reconfigure(config.listening)
        if config.training != before.training:
            self._training.reconfigure(config.training)
        if config.ratings != before.ratings:
            self._sticker_service.reconfigure(config.ratings)

    def _service_loops(self, screen: Screen | None) -> Mapping[str, ServiceLoop]:
        service_loops = {
            "library": self._library.run,
            "embedding": self._embedding.run,
            "training": self._training.run,
            "attending to MPD": self._make_player_monitor().run,
            "mirroring ratings": self._sticker_service.run,
        }
        if self._config.ratings.write_file_tags:
            service_loops["writing ratings into tags"] = self._make_tag_writer().run
        if self._metrics_sink is not None:
            service_loops["serving metrics"] = self._make_metrics_collector(self._metrics_sink).run
        if screen is not None:
            service_loops["screen"] = self._make_snapshot_source(screen).run
        return service_loops

    def _pool(
        self,
        name: str,
        *,
        size: int = 1,
        idle_seconds: float,
        memory_bytes: int | None = None,
        reach: ReadablePaths | None = None,
    ) -> WorkerPool:
        pool = WorkerPool(
            name=name, size=size, idle_seconds=idle_seconds, memory_bytes=memory_bytes, reach=reach
        )
        self._stack.push_async_callback(pool.close)
        self._pools.append(pool)
        return pool

    def _make_library(self) -> LibraryService:
        return LibraryService(
            self._stores.library,
            MusicDirectory(self._paths.music, self._config.music, self._reader_pool),
            make_watcher(self._paths.music, self._config.music),
            events=self._events,
            clock=self._clock,
            config=self._config.music,
        )

    def _make_embedding(self, selector: EmbedderSelector) -> EmbeddingService:
        embedder = self._make_embedder(selector.plan())
        self._stack.push_async_callback(embedder.close)
        return EmbeddingService(
            self._stores.embeddings,
            embedder,
            self._library.path,
            preference=selector,
            events=self._events,
            clock=self._clock,
            on_hold=lambda: self._config.embedding.pause_on_battery and on_battery(),
        )

    def _make_embedder(self, plan: EmbeddingPlan) -> Embedder:
        config = self._config.embedding
        if config.executor is Executor.DASK:
            return DaskEmbedder(plan, config, self._paths.music)
        embedder = WorkerEmbedder(
            plan,
            idle_seconds=config.idle_minutes * 60,
            timeout_seconds=config.track_timeout_seconds,
            reach=ReadablePaths(
                real_path(self._paths.music),
                readable=[self._paths.models],
                writable=[self._paths.cache],
            ),
        )
        self._pools += embedder.pools
        return embedder

    def _make_training(self) -> TrainingScheduler:
        return TrainingScheduler(
            ratings=self._stores.ratings,
            embeddings=self._stores.embeddings,
            evaluators=self._stores.evaluators,
            evaluator=WorkerEvaluator(
                self._pool(
                    "evaluator", idle_seconds=EVALUATOR_IDLE_SECONDS, reach=ReadablePaths(None)
                )
            ),
            scheduler=ApScheduler(),
            events=self._events,
            clock=self._clock,
            config=self._config.training,
            stamp=self._embedding.stamp,
        )

    def _make_report_service(self) -> ReportService:
        return ReportService(
            library=self._stores.library,
            ratings=self._stores.ratings,
            plays=self._stores.plays,
            embeddings=self._stores.embeddings,
            evaluators=self._stores.evaluators,
            queue=self._stores.queue,
            draw=partial(
                report_worker.draw,
                self._pool(
                    "report",
                    idle_seconds=REPORT_IDLE_SECONDS,
                    reach=ReadablePaths(None, writable=[self._paths.cache]),
                ),
                self._paths.cache,
            ),
            clock=self._clock,
            stamp=self._embedding.stamp,
        )

    def _make_pick_service(self) -> PickService:
        return PickService(
            library=self._stores.library,
            store=self._stores.queue,
            plays=self._stores.plays,
            player=self._player,
            events=self._events,
            clock=self._clock,
            config=self._config.picks,
        )

    def _make_sticker_service(self) -> StickerService:
        return StickerService(
            player=self._player,
            library=self._stores.library,
            store=self._stores.ratings,
            ratings=self._ratings,
            stickers=self._stores.stickers,
            events=self._events,
            clock=self._clock,
            config=self._config.ratings,
        )

    def _make_play_service(self) -> PlayService:
        return PlayService(
            self._stores.library,
            self._stores.plays,
            self._events,
            self._clock,
            self._config.listening,
        )

    def _make_player_monitor(self) -> PlayerMonitor:
        return PlayerMonitor(
            player=self._player,
            play_service=self._play_service,
            queue_manager=self._pick_service.queue_manager,
            message_channel=MessageChannel(
                self._player,
                self._track_resolver,
                self._ratings,
                self._pick_service.switch,
                self._clock,
            ),
            sticker_service=self._sticker_service,
            events=self._events,
            clock=self._clock,
        )

    def _make_tag_writer(self) -> TagWriter:
        from anagnorisisd.ratings.rating_tag_writer import (
            RatingTagWriter,
        )  # mutagen is slow to import

        return TagWriter(
            tags=RatingTagWriter(self._library.path, self._reader_pool),
            library=self._stores.library,
            store=self._stores.ratings,
            events=self._events,
            clock=self._clock,
        )

    def _make_metrics_sink(self) -> MetricsSink | None:
        address = self._config.metrics.address
        if address is None:
            return None
        from anagnorisisd.metrics.prometheus import (
            PrometheusExporter,
        )  # optional, so loaded only when configured

        return PrometheusExporter(address, anagnorisisd.__version__)

    def _make_metrics_collector(self, meter: MetricsSink) -> MetricsCollector:
        return MetricsCollector(
            meter,
            library=self._stores.library,
            player=self._player,
            embedding=self._embedding,
            training=self._training,
            picking=self._pick_service,
            events=self._events,
        )

    def _make_snapshot_source(self, screen: Screen) -> SnapshotSource:
        return SnapshotSource(
            screen,
            library=self._library,
            embedding=self._embedding,
            training=self._training,
            player=self._player,
            picks=self._pick_service,
            tracks=self._stores.library,
            clock=self._clock,
        )

    def _servicers(self) -> Servicers:
        stores = self._stores
        tracks = TrackLookup(self._track_resolver, stores.library, self._embedding.stamp)
        return Servicers(
            ratings=RatingServicer(self._ratings, stores.ratings, tracks),
            library=self._library_servicer(tracks),
            picks=PickServicer(
                picker=self._pick_service,
                curiosity=self._training.curiosity,
                tracks=tracks,
                default_count=lambda: self._config.picks.ahead,
            ),
            evaluators=EvaluatorServicer(self._training, stores.evaluators),
            daemon=self._daemon_servicer(tracks),
            history=self._history_servicer(tracks),
        )

    def _library_servicer(self, tracks: TrackLookup) -> LibraryServicer:
        stamp = self._embedding.stamp
        return LibraryServicer(
            library=self._library,
            store=self._stores.library,
            embedding=self._embedding,
            embeddings=self._stores.embeddings,
            similar=NearestTracks(self._stores.embeddings, stamp),
            tracks=tracks,
            stamp=stamp,
        )

    def _daemon_servicer(self, tracks: TrackLookup) -> DaemonServicer:
        status = StatusReader(
            library=self._stores.library,
            player=self._player,
            tracks=tracks,
            embedding=self._embedding,
            picker=self._pick_service,
            trainer=self._training,
            places=StatusPaths(self._paths.music, self._paths.state, self._paths.models),
        )
        return DaemonServicer(
            status,
            EventStream(self._events, self._clock),
            BackupStream(self._stores.database.path),
            self._make_report_service(),
        )

    def _history_servicer(self, tracks: TrackLookup) -> HistoryServicer:
        import_export = ImportExport(
            library=self._stores.library,
            history=self._stores.ratings,
            plays=self._stores.plays,
            ratings=self._ratings,
            clock=self._clock,
            stamp=self._embedding.stamp,
        )
        tags = TagRatingReader(self._library.path, self._reader_pool)
        external_ratings = ExternalRatings(self._stores.library, tags, self._player)
        return HistoryServicer(import_export, external_ratings, self._stores.plays, tracks)
