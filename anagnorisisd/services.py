"""Creates the services of the daemon and connects them."""

import logging
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import time

import anagnorisisd
from anagnorisisd.clock import SystemClock
from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config, Executor, MusicSource
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.dask.embedder import DaskEmbedder
from anagnorisisd.embedding.embedder import Embedder, UnreadableEmbedder
from anagnorisisd.embedding.metadata_embedder import MetadataEmbedder
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.service import EmbeddingService, on_battery
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import WeightsUnreadable
from anagnorisisd.events import Events
from anagnorisisd.library.file_access import real_path
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.player_database import PlayerDatabase
from anagnorisisd.library.player_songs import PlayerSongs
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.library.tunes import Tunes
from anagnorisisd.library.watcher import make_watcher
from anagnorisisd.listening.service import PlayService
from anagnorisisd.metrics.collector import MetricsSink
from anagnorisisd.mpd.player import MpdPlayer
from anagnorisisd.picks.service import PickService
from anagnorisisd.playlists.publisher import PlaylistPublisher
from anagnorisisd.playlists.rating_playlists import RatingPlaylists
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers.sync_loop import StickerSync
from anagnorisisd.runtime import daily_schedule
from anagnorisisd.runtime.scheduler import ApScheduler
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.steering.sound_map import SoundMap
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.evaluator import WorkerEvaluator
from anagnorisisd.taste.training_scheduler import TrainingScheduler
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

log = logging.getLogger(__name__)

READER_IDLE_SECONDS = 5.0
# Far more than the tags and covers of one file need; stops a decompression bomb.
READER_MEMORY_BYTES = 512 << 20
EVALUATOR_IDLE_SECONDS = 60.0


class Services:
    """All services, each created with its dependencies and its section of the configuration.

    Worker pools and the embedder are closed when `stack` is.
    """

    def __init__(
        self,
        config: Config,
        paths: Paths,
        selector: EmbedderSelector,
        stores: Stores,
        stack: AsyncExitStack,
    ) -> None:
        self.config = config
        self.paths = paths
        self.stores = stores
        self._stack = stack
        self.pools: list[WorkerPool] = []
        self.clock = SystemClock()
        self.events = Events(self.clock)
        self.reader_pool = self.open_pool(
            "reading",
            # At least two, so that one file that hangs does not block the others.
            size=max(2, len(os.sched_getaffinity(0))),
            idle_seconds=READER_IDLE_SECONDS,
            memory_bytes=READER_MEMORY_BYTES,
            readable_paths=ReadablePaths(real_path(paths.music)),
        )
        self._has_files = config.music.source is MusicSource.FILES
        library = paths.music if self._has_files else None
        self.player = MpdPlayer(config.mpd, library, config.ratings.channel, self.clock)
        self.player_songs = (
            None
            if self._has_files
            else PlayerSongs(self.player, stores.uri_identities, config.music)
        )
        self.library = self._make_library()
        self.embedding = self._make_embedding(selector)
        self.sound_tags = SoundTagIndex(stores.embeddings, self.embedding.stamp, self.clock)
        self.training = self._make_training()
        self.ratings = RatingService(stores.ratings, self.events, self.clock)
        self.track_resolver = TrackResolver(stores.library, self.player)
        self.sound_map = SoundMap(stores.embeddings, self.embedding.stamp)
        self.steering = self._make_steering()
        self.pick_service = self._make_pick_service()
        self.play_service = self._make_play_service()
        self.sticker_sync = self._make_sticker_sync()
        self.rating_playlists = self._make_rating_playlists()
        self.playlist_publisher = self._make_playlist_publisher()
        self.player_database = PlayerDatabase(
            stores.library,
            self.player,
            self.library.path,
            self.events,
            self.clock,
            tunes=self._make_tunes() if self._has_files else None,
        )
        self.metrics_sink = self._make_metrics_sink()

    def reconfigure(self, config: Config) -> None:
        """Pass each service its changed section; only `Live` keys differ."""
        before, self.config = self.config, config
        if config.music != before.music:
            self.library.reconfigure(config.music)
        if config.picks != before.picks:
            self.pick_service.reconfigure(config.picks)
            self.playlist_publisher.reconfigure(config.picks)
        if config.listening != before.listening:
            self.play_service.reconfigure(config.listening)
        if config.training != before.training:
            self.training.reconfigure(config.training)
        if config.ratings != before.ratings:
            self.sticker_sync.reconfigure(config.ratings)
            self.rating_playlists.reconfigure(config.ratings)

    def open_pool(
        self,
        name: str,
        *,
        size: int = 1,
        idle_seconds: float,
        memory_bytes: int | None = None,
        readable_paths: ReadablePaths | None = None,
    ) -> WorkerPool:
        """Return a new pool, to be closed with the app."""
        pool = WorkerPool(
            name=name,
            size=size,
            idle_seconds=idle_seconds,
            memory_bytes=memory_bytes,
            readable_paths=readable_paths,
        )
        self._stack.push_async_callback(pool.close)
        self.pools.append(pool)
        return pool

    def _make_library(self) -> LibraryService:
        config = self.config.music
        files = MusicDirectory(self.paths.music, config, self.reader_pool)
        return LibraryService(
            self.stores.library,
            self.player_songs or files,
            self.player_songs or make_watcher(self.paths.music, config),
            events=self.events,
            clock=self.clock,
            config=config,
        )

    def _make_tunes(self) -> Tunes:
        return Tunes(
            self.stores.library,
            self.player,
            self.paths.music,
            config=self.config.music,
            workers=self.reader_pool,
            clock=self.clock,
        )

    def _make_embedding(self, selector: EmbedderSelector) -> EmbeddingService:
        without_audio = None if self._has_files else MetadataEmbedder()
        embedder = without_audio or self._make_embedder(selector)
        self._stack.push_async_callback(embedder.close)
        return EmbeddingService(
            self.stores.embeddings,
            embedder,
            self.library.path,
            preference=without_audio or selector,
            events=self.events,
            clock=self.clock,
            is_paused=lambda: self.config.embedding.pause_on_battery and on_battery(),
        )

    def _make_embedder(self, selector: EmbedderSelector) -> Embedder:
        config = self.config.embedding
        try:
            plan = selector.plan()
        except WeightsUnreadable as error:  # A failing disk does not stop ratings and picks.
            name = config.embedder.value
            log.warning("embedder %s: %s; nothing is embedded until then", name, error)
            return UnreadableEmbedder(name, str(error))
        if config.executor is Executor.DASK:
            return DaskEmbedder(plan, config, self.paths.music)
        embedder = WorkerEmbedder(
            plan,
            idle_seconds=config.idle_minutes * 60,
            timeout_seconds=config.track_timeout_seconds,
            readable_paths=ReadablePaths(
                real_path(self.paths.music),
                readable=[self.paths.models],
                writable=[self.paths.cache],
            ),
        )
        self.pools += embedder.pools
        return embedder

    def _make_training(self) -> TrainingScheduler:
        return TrainingScheduler(
            ratings=self.stores.ratings,
            embeddings=self.stores.embeddings,
            evaluators=self.stores.evaluators,
            evaluator=WorkerEvaluator(
                self.open_pool(
                    "evaluator",
                    idle_seconds=EVALUATOR_IDLE_SECONDS,
                    readable_paths=ReadablePaths(None),
                )
            ),
            scheduler=ApScheduler(),
            events=self.events,
            clock=self.clock,
            config=self.config.training,
            sound_tags=self.sound_tags,
            stamp=self.embedding.stamp,
        )

    def _make_steering(self) -> SteeringService:
        return SteeringService(
            library=self.stores.library,
            embeddings=self.stores.embeddings,
            sound_tags=self.sound_tags,
            stamp=self.embedding.stamp,
            store=self.stores.queue,
            events=self.events,
            clock=self.clock,
        )

    def _make_pick_service(self) -> PickService:
        return PickService(
            library=self.stores.library,
            store=self.stores.queue,
            plays=self.stores.plays,
            player=self.player,
            events=self.events,
            clock=self.clock,
            config=self.config.picks,
            steering=self.steering,
            sound_map=self.sound_map,
        )

    def _make_sticker_sync(self) -> StickerSync:
        return StickerSync(
            player=self.player,
            library=self.stores.library,
            store=self.stores.ratings,
            ratings=self.ratings,
            stickers=self.stores.stickers,
            events=self.events,
            clock=self.clock,
            config=self.config.ratings,
        )

    def _make_rating_playlists(self) -> RatingPlaylists:
        return RatingPlaylists(
            player=self.player,
            playlists=self.player.playlists,
            store=self.stores.playlists,
            library=self.stores.library,
            ratings=self.ratings,
            events=self.events,
            clock=self.clock,
            config=self.config.ratings,
        )

    def _make_playlist_publisher(self) -> PlaylistPublisher:
        async def suggest(count: int) -> Sequence[TrackId]:
            excluded = await self.pick_service.excluded()
            # The same seed each time, so that the playlist changes only with the evidence.
            return await self.training.explanations.suggest(count, 0, excluded)

        def next_night(now: float) -> float:
            training = self.config.training
            at = time.fromisoformat(training.time)
            return daily_schedule.next_due(now, at, daily_schedule.zone_named(training.timezone))

        return PlaylistPublisher(
            player=self.player,
            playlists=self.player.playlists,
            store=self.stores.playlists,
            library=self.stores.library,
            suggest=suggest,
            with_tag=self.sound_tags.with_tag,
            events=self.events,
            clock=self.clock,
            next_night=next_night,
            config=self.config.picks,
        )

    def _make_play_service(self) -> PlayService:
        return PlayService(
            self.stores.library,
            self.stores.plays,
            self.events,
            self.clock,
            self.config.listening,
        )

    def _make_metrics_sink(self) -> MetricsSink | None:
        address = self.config.metrics.address
        if address is None:
            return None
        # Optional, so it is loaded only when configured.
        from anagnorisisd.metrics.prometheus import PrometheusExporter

        return PrometheusExporter(address, anagnorisisd.__version__)
