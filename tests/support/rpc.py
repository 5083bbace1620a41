"""A real gRPC server in this process, over a Unix socket and a real database."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisis.v1.evaluator_pb2_grpc import EvaluatorServiceStub
from anagnorisis.v1.history_pb2_grpc import HistoryServiceStub
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.pick_pb2_grpc import PickServiceStub
from anagnorisis.v1.playback_pb2_grpc import PlaybackServiceStub
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub
from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.evaluator import FeatureStats, TrainingSet, Vectors
from anagnorisisd.embedding.musicnn import plan as musicnn
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.events import Events
from anagnorisisd.library.audio_reader import AudioReader
from anagnorisisd.library.covers import Covers
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.player_database import PlayerDatabase
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.library.watcher import NoWatcher
from anagnorisisd.listening.playback_control import PlaybackControl
from anagnorisisd.picks.service import PickService
from anagnorisisd.ratings.import_export import ImportExport
from anagnorisisd.ratings.importable_ratings import ImportableRatings
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.report import held_out_evaluation
from anagnorisisd.report.data import ReportData
from anagnorisisd.report.evaluation_service import EvaluationService, Review
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
from anagnorisisd.rpc.server import RpcServer, Servicers
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.steering.sound_map import SoundMap
from anagnorisisd.storage.backups import BackupStream
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste import projection
from anagnorisisd.taste.nearest_tracks import NearestTracks
from anagnorisisd.taste.training_scheduler import TrainingScheduler
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.embedder import FakeEmbedder, FakePreference
from tests.fakes.evaluator import FixedEvaluator
from tests.fakes.player import FakePlayer
from tests.fakes.scheduler import MinuteScheduler
from tests.support.library import STAMP
from tests.support.steering import steering_service


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass
class House:
    """The services behind a server, for tests to change and to look at.

    All are the real ones, over a real database. Only the parts that they use are replaced: the
    player, the embedder, what the evaluator answers, and what draws the report.
    """

    stores: Stores
    clock: Clock
    player: FakePlayer
    events: Events
    picks: PickService
    training: TrainingScheduler
    evaluator: FixedEvaluator
    embedder: FakeEmbedder
    embedding: EmbeddingService
    servicers: Servicers
    page: str = "<!DOCTYPE html>"
    """The report."""

    @classmethod
    def build(
        cls,
        stores: Stores,
        clock: Clock,
        music: Path = Path(),
        embedder: FakeEmbedder | None = None,
    ) -> "House":
        """Create the services; a scan reads the directory `music`."""
        events = Events(clock)
        player = FakePlayer(clock)
        tracks = TrackLookup(TrackResolver(stores.library, player), stores.library, STAMP)
        steering = steering_service(stores, events, clock)
        picks = PickService(
            library=stores.library,
            store=stores.queue,
            plays=stores.plays,
            player=player,
            events=events,
            clock=clock,
            config=schema.Picks(),
            seed=1,
            steering=steering,
            sound_map=SoundMap(stores.embeddings, STAMP),
        )
        evaluator = FixedEvaluator()
        sound_tags = SoundTagIndex(stores.embeddings, musicnn.STAMP, clock)
        training = TrainingScheduler(
            ratings=stores.ratings,
            embeddings=stores.embeddings,
            evaluators=stores.evaluators,
            evaluator=evaluator,
            sound_tags=sound_tags,
            scheduler=MinuteScheduler(clock),
            events=events,
            clock=clock,
            config=schema.Training(),
            stamp=STAMP,
        )
        embedder = embedder or FakeEmbedder(stamp=STAMP)
        embedding = EmbeddingService(
            stores.embeddings,
            embedder,
            lambda uri: music / uri,
            preference=FakePreference(STAMP),
            events=events,
            clock=clock,
        )
        library = LibraryService(
            stores.library,
            MusicDirectory(music, schema.Music(), thread_pool()),
            NoWatcher(),
            events=events,
            clock=clock,
            config=schema.Music(),
        )
        ratings = RatingService(stores.ratings, events, clock)

        async def draw(data: ReportData) -> str:
            return house.page

        async def evaluate(model: bytes, training: TrainingSet) -> Review | None:
            return held_out_evaluation.evaluate(model, training)

        async def fit(vectors: Vectors, stats: FeatureStats) -> Vectors:
            return projection.fit(vectors, stats)

        playback = PlaybackReader(player, stores.library, tracks)
        status = StatusReader(
            library=stores.library,
            player=player,
            player_database=PlayerDatabase(stores.library, player, music.joinpath, events, clock),
            playback=playback,
            tracks=tracks,
            embedding=embedding,
            picks=picks,
            training=training,
            steering=steering,
            paths=StatusPaths(music.absolute(), Path("/state"), Path("/models")),
        )
        report = ReportService(
            library=stores.library,
            ratings=stores.ratings,
            plays=stores.plays,
            embeddings=stores.embeddings,
            evaluators=stores.evaluators,
            queue=stores.queue,
            draw=draw,
            clock=clock,
            stamp=STAMP,
        )
        servicers = Servicers(
            ratings=RatingServicer(ratings, stores.ratings, tracks),
            library=LibraryServicer(
                library=library,
                store=stores.library,
                embedding=embedding,
                embeddings=stores.embeddings,
                similar=NearestTracks(stores.embeddings, STAMP),
                sound_tags=sound_tags,
                tracks=tracks,
                files=FileStreams(
                    Covers(stores.library, music.absolute().joinpath, thread_pool()),
                    AudioReader(stores.library, music.absolute().joinpath),
                    tracks,
                ),
                library_map=MapStream(LibraryMap(stores.embeddings, STAMP, fit, clock), sound_tags),
                enqueue=picks.enqueue,
                stamp=STAMP,
            ),
            picks=PickServicer(
                picks=picks,
                explanations=training.explanations,
                steering=steering,
                tracks=tracks,
                clock=clock,
                default_count=lambda: 3,
            ),
            evaluators=EvaluatorServicer(
                training,
                stores.evaluators,
                EvaluationService(stores.embeddings, stores.evaluators, STAMP, evaluate),
            ),
            daemon=DaemonServicer(
                status, EventStream(events, clock), BackupStream(stores.database.path), report
            ),
            history=HistoryServicer(
                ImportExport(
                    library=stores.library,
                    history=stores.ratings,
                    plays=stores.plays,
                    ratings=ratings,
                    clock=clock,
                    stamp=STAMP,
                ),
                ImportableRatings(stores.library, player, lambda uri: music / uri, thread_pool()),
                stores.plays,
                tracks,
            ),
            playback=PlaybackServicer(PlaybackControl(stores.library, player), playback, tracks),
        )
        house = cls(
            stores,
            clock,
            player,
            events,
            picks,
            training,
            evaluator,
            embedder,
            embedding,
            servicers,
        )
        return house

    async def refill(self, ahead: int = 3) -> None:
        """Have up to `ahead` picks added to the queue."""
        self.picks.reconfigure(schema.Picks(ahead=ahead))
        await self.picks.queue_manager.refill(await self.player.state())


def thread_pool() -> WorkerPool:
    """Return readers that are threads, and are there only while they read."""
    return WorkerPool(
        name="reading", size=1, idle_seconds=0, executors=partial(ThreadPoolExecutor, 1)
    )


class Line:
    """A connection to a server, with a stub for each service."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.ratings = RatingServiceStub(channel)
        self.library = LibraryServiceStub(channel)
        self.picks = PickServiceStub(channel)
        self.evaluators = EvaluatorServiceStub(channel)
        self.daemon = DaemonServiceStub(channel)
        self.history = HistoryServiceStub(channel)
        self.playback = PlaybackServiceStub(channel)


@asynccontextmanager
async def serving(
    house: House, socket: Path, config: schema.Rpc | None = None
) -> AsyncIterator[Line]:
    """Serve a house on a socket, and yield a connection to it."""
    server = RpcServer(config or schema.Rpc(), socket, house.servicers)
    await server.start()
    try:
        async with aio.insecure_channel(f"unix:{socket}") as channel:
            yield Line(channel)
    finally:
        await server.stop()


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str, str]:
    """Return code, reason and field of the error that a call ends with."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(caught.value)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "anagnorisis"
    return caught.value.code(), info.reason, info.metadata["field"]


async def run(socket: Path, *words: str) -> Outcome:
    """Run `anagnorisis` to its end."""
    return await command("anagnorisis", *words, socket=socket)


async def said(socket: Path, *words: str) -> str:
    """Run a command that works, and return what it says."""
    done = await run(socket, *words)
    assert (done.code, done.err) == (0, "")
    return done.out


async def answered(socket: Path, *words: str) -> list[dict[str, Any]]:
    """Run a command that works with --json, and return what it answers."""
    text = await said(socket, *words, "--json")
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


async def command(*words: str, socket: Path | None = None, **environment: str) -> Outcome:
    """Run a command to its end, as the listener would."""
    async with started(*words, socket=socket, **environment) as process:
        out, err = await asyncio.wait_for(process.communicate(), 90)
    return Outcome(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def started(
    *words: str, socket: Path | None = None, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a command, those of this Python's environment first, and see that it ends."""
    installed = Path(sys.executable).parent
    variables = {
        **os.environ,
        "PYTHONWARNINGS": "error",
        **({"ANAGNORISIS_SOCKET": str(socket)} if socket else {}),
        **environment,
    }
    variables["PATH"] = f"{installed}:{variables['PATH']}"
    process = await asyncio.create_subprocess_exec(
        shutil.which(words[0], path=variables["PATH"]) or words[0],
        *words[1:],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
