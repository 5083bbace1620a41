"""Creates the servicers of the gRPC services and connects them with the services."""

from functools import partial

from anagnorisisd.library.audio_reader import AudioReader
from anagnorisisd.library.covers import Covers
from anagnorisisd.library.file_access import real_path
from anagnorisisd.listening.playback_control import PlaybackControl
from anagnorisisd.ratings.import_export import ImportExport
from anagnorisisd.ratings.importable_ratings import ImportableRatings
from anagnorisisd.report import evaluation_service, library_map
from anagnorisisd.report import service as report_worker
from anagnorisisd.report.evaluation_service import EvaluationService
from anagnorisisd.report.library_map import LibraryMap
from anagnorisisd.report.service import ReportService
from anagnorisisd.rpc.daemon_service import DaemonServicer, StatusPaths, StatusReader
from anagnorisisd.rpc.evaluator_service import EvaluatorServicer
from anagnorisisd.rpc.event_stream import EventStream
from anagnorisisd.rpc.file_streams import FileStreams
from anagnorisisd.rpc.history_service import HistoryServicer
from anagnorisisd.rpc.library_service import LibraryServicer
from anagnorisisd.rpc.map_stream import MapStream
from anagnorisisd.rpc.pick_service import PickServicer
from anagnorisisd.rpc.playback_service import PlaybackReader, PlaybackServicer
from anagnorisisd.rpc.rating_service import RatingServicer
from anagnorisisd.rpc.server import Servicers
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.services import READER_MEMORY_BYTES, Services
from anagnorisisd.storage.backups import BackupStream
from anagnorisisd.taste.nearest_tracks import NearestTracks
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

REPORT_IDLE_SECONDS = 5.0
COVER_IDLE_SECONDS = 10.0
COVER_WORKERS = 2
"""Apart from the workers of a scan, for which a page would have to wait."""


def make_servicers(services: Services) -> Servicers:
    """Create the servicer of each gRPC service."""
    stores = services.stores
    report_workers = services.open_pool(
        "report",
        idle_seconds=REPORT_IDLE_SECONDS,
        readable_paths=ReadablePaths(None, writable=[services.paths.cache]),
    )
    tracks = TrackLookup(services.track_resolver, stores.library, services.embedding.stamp)
    playback = PlaybackReader(services.player, stores.library, tracks)
    return Servicers(
        ratings=RatingServicer(services.ratings, stores.ratings, tracks),
        library=_library_servicer(services, tracks, report_workers),
        picks=PickServicer(
            picks=services.pick_service,
            explanations=services.training.explanations,
            steering=services.steering,
            tracks=tracks,
            clock=services.clock,
            default_count=lambda: services.config.picks.ahead,
        ),
        evaluators=EvaluatorServicer(
            services.training,
            stores.evaluators,
            EvaluationService(
                stores.embeddings,
                stores.evaluators,
                services.embedding.stamp,
                partial(evaluation_service.evaluate_in_worker, report_workers),
            ),
        ),
        daemon=_daemon_servicer(services, tracks, playback, report_workers),
        history=_history_servicer(services, tracks),
        playback=PlaybackServicer(
            PlaybackControl(stores.library, services.player), playback, tracks
        ),
    )


def _library_servicer(
    services: Services, tracks: TrackLookup, report_workers: WorkerPool
) -> LibraryServicer:
    stamp, embeddings = services.embedding.stamp, services.stores.embeddings
    fit = partial(library_map.fit_in_worker, report_workers)
    return LibraryServicer(
        library=services.library,
        store=services.stores.library,
        embedding=services.embedding,
        embeddings=embeddings,
        similar=NearestTracks(embeddings, stamp),
        sound_tags=services.sound_tags,
        tracks=tracks,
        files=_file_streams(services, tracks),
        library_map=MapStream(
            LibraryMap(embeddings, stamp, fit, services.clock), services.sound_tags
        ),
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
    services: Services,
    tracks: TrackLookup,
    playback: PlaybackReader,
    report_workers: WorkerPool,
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
        _report_service(services, report_workers),
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


def _report_service(services: Services, workers: WorkerPool) -> ReportService:
    return ReportService(
        library=services.stores.library,
        ratings=services.stores.ratings,
        plays=services.stores.plays,
        embeddings=services.stores.embeddings,
        evaluators=services.stores.evaluators,
        queue=services.stores.queue,
        draw=partial(report_worker.draw, workers, services.paths.cache),
        clock=services.clock,
        stamp=services.embedding.stamp,
    )
