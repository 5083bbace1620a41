"""The coroutines of the services that the daemon runs as supervised tasks."""

from collections.abc import Awaitable, Callable, Mapping

from anagnorisisd.console import Screen
from anagnorisisd.console.snapshot_source import SnapshotSource
from anagnorisisd.listening.player_monitor import PlayerMonitor
from anagnorisisd.metrics.collector import MetricsCollector, MetricsSink
from anagnorisisd.ratings.message_channel import MessageChannel
from anagnorisisd.services import Services

ServiceLoop = Callable[[], Awaitable[None]]


def service_loops(services: Services, screen: Screen | None) -> Mapping[str, ServiceLoop]:
    """Return the coroutines to run as supervised tasks, by name."""
    loops: dict[str, ServiceLoop] = {
        "library": services.library.run,
        "embedding": services.embedding.run,
        "training": services.training.run,
        "steering": services.steering.run,
        "player monitor": _player_monitor(services).run,
        "sticker sync": services.sticker_sync.run,
        "rating playlists": services.rating_playlists.run,
        "published playlists": services.playlist_publisher.run,
        "player database": services.player_database.run,
    }
    if services.config.ratings.write_file_tags and services.player_songs is None:
        loops["tag writer"] = _tag_writer(services)
    if services.metrics_sink is not None:
        loops["metrics"] = _metrics_collector(services, services.metrics_sink).run
    if screen is not None:
        loops["screen"] = _snapshot_source(services, screen).run
    return loops


def _player_monitor(services: Services) -> PlayerMonitor:
    return PlayerMonitor(
        player=services.player,
        play_service=services.play_service,
        queue_manager=services.pick_service.queue_manager,
        message_channel=MessageChannel(
            services.player,
            services.track_resolver,
            services.ratings,
            services.pick_service.switch,
            services.clock,
            steering=services.steering,
            skip_album=services.pick_service.skip_album,
        ),
        sticker_sync=services.sticker_sync,
        observers=(
            services.rating_playlists.notice,
            services.playlist_publisher.notice,
            services.player_database.notice,
            *([services.player_songs.notice] if services.player_songs is not None else []),
        ),
        events=services.events,
        clock=services.clock,
    )


def _tag_writer(services: Services) -> ServiceLoop:
    # mutagen is slow to import.
    from anagnorisisd.ratings.rating_tag_writer import RatingTagWriter

    writer = RatingTagWriter(
        path=services.library.path,
        workers=services.reader_pool,
        library=services.stores.library,
        store=services.stores.ratings,
        events=services.events,
        clock=services.clock,
    )
    return writer.run


def _metrics_collector(services: Services, sink: MetricsSink) -> MetricsCollector:
    return MetricsCollector(
        sink,
        library=services.stores.library,
        player=services.player,
        embedding=services.embedding,
        training=services.training,
        picks=services.pick_service,
        steering=services.steering,
        events=services.events,
    )


def _snapshot_source(services: Services, screen: Screen) -> SnapshotSource:
    return SnapshotSource(
        screen,
        library=services.library,
        embedding=services.embedding,
        training=services.training,
        player=services.player,
        picks=services.pick_service,
        tracks=services.stores.library,
        sound_tags=services.sound_tags,
        clock=services.clock,
    )
