"""`DaemonService`: status, events, backups and reports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grpc.aio import ServicerContext

import anagnorisisd
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceServicer
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluator import TrainingStatus
from anagnorisisd.domain.player import Player, PlayerLink
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.library.player_database import PlayerDatabase, UnlistedTracks
from anagnorisisd.picks.service import PickService
from anagnorisisd.report.service import ReportService
from anagnorisisd.rpc import conversion
from anagnorisisd.rpc.event_stream import EventStream
from anagnorisisd.rpc.playback_service import PlaybackReader
from anagnorisisd.rpc.steering_conversion import steering_message
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.storage.backups import BackupStream
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.track_queries import LibraryCounts
from anagnorisisd.taste.training_scheduler import TrainingScheduler

PLAYER_TIMEOUT_SECONDS = 2.0
"""Timeout of player requests, so that a hung player does not delay the status."""

Context = ServicerContext[Any, Any]

CHUNK_BYTES = 256 << 10
"""Size of a chunk of a report: a report may exceed the message size limit of clients, 4 MiB."""


@dataclass(frozen=True, slots=True)
class StatusPaths:
    """Absolute paths of the music, state and model directories."""

    music: Path
    state: Path
    models: Path


class StatusReader:
    """Collects the status."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        player: Player,
        player_database: PlayerDatabase,
        playback: PlaybackReader,
        tracks: TrackLookup,
        embedding: EmbeddingService,
        picks: PickService,
        training: TrainingScheduler,
        steering: SteeringService,
        paths: StatusPaths,
    ) -> None:
        self._library = library
        self._player = player
        self._player_database = player_database
        self._playback = playback
        self._tracks = tracks
        self._embedding = embedding
        self._picks = picks
        self._training = training
        self._steering = steering
        self._paths = paths

    async def read(self) -> messages.GetStatusResponse:
        """Return the status; an unavailable player is part of the status, not an error."""
        stamp = self._embedding.stamp
        training = await self._training.status()
        response = messages.GetStatusResponse(
            version=anagnorisisd.__version__,
            mpd=_link_message(self._player.link(), self._player_database.unlisted),
            picking_enabled=self._picks.enabled,
            no_picks_reason=conversion.printable(self._picks.reason),
            library=_counts_message(await self._library.counts(stamp)),
            embedding=_embedding_message(stamp, await self._embedding.progress()),
            training=_training_message(training),
            steering=steering_message(await self._steering.current()),
            paths=_paths_message(self._paths),
        )
        if training.evaluator is not None:
            response.evaluator.CopyFrom(conversion.evaluator_message(training.evaluator))
        try:
            async with asyncio.timeout(PLAYER_TIMEOUT_SECONDS):
                response.playback.CopyFrom(await self._playback.read())
                upcoming = [
                    await self._tracks.read(pick.track_id) for pick in await self._picks.ahead()
                ]
                response.upcoming_picks.extend(map(conversion.track_message, upcoming))
        except (PlayerUnavailable, PlayerRefused, TimeoutError):
            pass  # `mpd` already holds the reason.
        return response


def _link_message(link: PlayerLink, unlisted: UnlistedTracks) -> messages.MpdConnection:
    return messages.MpdConnection(
        connected=link.connected,
        address=conversion.printable(link.address),
        protocol_version=conversion.printable(link.protocol_version),
        error="" if link.connected else conversion.printable(link.reason or "connecting"),
        missing_features=map(conversion.printable, link.missing_features),
        unlisted_tracks=unlisted.tracks,
        present_tracks=unlisted.present,
        unlisted_reason=conversion.printable(unlisted.reason),
    )


def _paths_message(paths: StatusPaths) -> messages.Paths:
    return messages.Paths(
        music_directory=conversion.printable(str(paths.music)),
        state_directory=conversion.printable(str(paths.state)),
        model_directory=conversion.printable(str(paths.models)),
    )


def _counts_message(counts: LibraryCounts) -> messages.LibraryCounts:
    return messages.LibraryCounts(
        tracks=counts.tracks,
        pending=counts.pending,
        embedded=counts.embedded,
        failed=counts.failed,
        missing=counts.missing,
        rated=counts.rated,
        unusable_files=counts.unusable_files,
    )


def _embedding_message(
    stamp: EmbedderStamp, progress: EmbeddingProgress
) -> messages.EmbeddingStatus:
    return messages.EmbeddingStatus(
        embedder=conversion.stamp_message(stamp),
        pending=progress.pending,
        tracks_per_second=progress.tracks_per_second,
        remaining_seconds=progress.seconds_left,
        embedded=progress.embedded,
        failed=progress.failed,
        executor=messages.EmbeddingExecutor(
            address=progress.executor.address,
            workers=progress.executor.workers,
            error=conversion.printable(progress.executor.problem),
        ),
    )


def _training_message(status: TrainingStatus) -> messages.TrainingStatus:
    return messages.TrainingStatus(
        running=status.training,
        next_training_at=conversion.timestamp(status.next_training_at),
        last_training_at=conversion.timestamp(status.last_training_at),
        examples=status.examples,
        examples_needed=status.needed,
        consecutive_failures=status.failures.count,
        failure_reason=conversion.printable(status.failures.reason),
    )


class DaemonServicer(DaemonServiceServicer):
    """Implements `DaemonService`."""

    def __init__(
        self,
        status: StatusReader,
        events: EventStream,
        backups: BackupStream,
        reports: ReportService,
    ) -> None:
        self._status = status
        self._events = events
        self._backups = backups
        self._reports = reports

    async def GetStatus(
        self, request: messages.GetStatusRequest, context: Context
    ) -> messages.GetStatusResponse:
        """Return the status of the daemon."""
        return await self._status.read()

    async def WatchEvents(
        self, request: messages.WatchEventsRequest, context: Context
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """Stream events until the caller cancels."""
        async for message in self._events.follow(request):
            yield message

    async def CreateBackup(
        self, request: messages.CreateBackupRequest, context: Context
    ) -> AsyncIterator[messages.CreateBackupResponse]:
        """Stream a copy of the database."""
        async with aclosing(self._backups.chunks()) as chunks:
            async for chunk in chunks:
                yield messages.CreateBackupResponse(chunk=chunk)

    async def GenerateReport(
        self, request: messages.GenerateReportRequest, context: Context
    ) -> AsyncIterator[messages.GenerateReportResponse]:
        """Stream a report on ratings, evaluator and library as HTML."""
        page = (await self._reports.html()).encode(errors="replace")
        for start in range(0, len(page), CHUNK_BYTES):
            yield messages.GenerateReportResponse(chunk=page[start : start + CHUNK_BYTES])
