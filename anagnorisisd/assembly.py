"""The composition root: which tool stands behind which port, and who is given what.

Only this module knows adapters and services at once. Everything that has to be closed is closed
in the reverse order of its opening, however the daemon ends.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from anagnorisisd.adapters import state_lock
from anagnorisisd.adapters.embedders import WorkerEmbedder
from anagnorisisd.adapters.evaluator import WorkerEvaluator
from anagnorisisd.adapters.file_ratings import TagRatings
from anagnorisisd.adapters.folder import MusicFolder
from anagnorisisd.adapters.mpd.player import MpdPlayer
from anagnorisisd.adapters.power import never, on_battery
from anagnorisisd.adapters.rating_tags import FileTags
from anagnorisisd.adapters.reporter import WorkerReporter
from anagnorisisd.adapters.scheduler import ApScheduler
from anagnorisisd.adapters.sqlite.backups import Copies
from anagnorisisd.adapters.sqlite.stores import Stores, open_stores
from anagnorisisd.adapters.system_clock import SystemClock
from anagnorisisd.adapters.watcher import make_watcher
from anagnorisisd.adapters.workers import WorkerPool
from anagnorisisd.config.places import Places
from anagnorisisd.config.schema import Config
from anagnorisisd.console import Screen
from anagnorisisd.console.feed import Feed
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.ml.registry import Chooser
from anagnorisisd.ports.clock import Clock
from anagnorisisd.rpc.daemon import DaemonServicer
from anagnorisisd.rpc.evaluator import EvaluatorServicer
from anagnorisisd.rpc.finding import Tracks
from anagnorisisd.rpc.history import HistoryServicer
from anagnorisisd.rpc.library import LibraryServicer
from anagnorisisd.rpc.pick import PickServicer
from anagnorisisd.rpc.rating import RatingServicer
from anagnorisisd.rpc.server import RpcServer, Servicers
from anagnorisisd.rpc.standing import Standing
from anagnorisisd.rpc.watching import Watching
from anagnorisisd.services.attending import Attending
from anagnorisisd.services.embedding import Embedding
from anagnorisisd.services.events import Events
from anagnorisisd.services.library.library import Library
from anagnorisisd.services.listening import Listening
from anagnorisisd.services.picking.queueing import Queueing
from anagnorisisd.services.picking.requests import Requests
from anagnorisisd.services.ratings.channel import Channel
from anagnorisisd.services.ratings.foreign import Foreign
from anagnorisisd.services.ratings.mirroring import Mirroring
from anagnorisisd.services.ratings.ratings import Ratings
from anagnorisisd.services.ratings.tagging import Tagging
from anagnorisisd.services.ratings.targets import Targets
from anagnorisisd.services.ratings.transfer import Transfer
from anagnorisisd.services.taste.reporting import Reporting
from anagnorisisd.services.taste.similar import Similar
from anagnorisisd.services.taste.training import Training

READER_IDLE_SECONDS = 5.0
READER_MEMORY_BYTES = 512 << 20
"""Tags and covers of one file at a time fit many times over; a bomb among them does not."""
EVALUATOR_IDLE_SECONDS = 60.0
DRAWER_IDLE_SECONDS = 5.0

Life = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The assembled daemon: what runs, and what else its life touches."""

    clock: Clock
    stores: Stores
    server: RpcServer
    lives: Mapping[str, Life]
    superseded: Callable[[], Awaitable[EmbedderStamp]]


@asynccontextmanager
async def assembled(
    config: Config, places: Places, screen: Screen | None, chooser: Chooser
) -> AsyncIterator[Parts]:
    """Open everything, wire it, and close it in reverse at the end.

    Raises:
        AlreadyRunning: another daemon uses the same state directory.
        StoreError: the database cannot be used.
        EmbedderUnusable: the embedder that is configured has no usable weights.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(state_lock.held(places.state))
        stores = await open_stores(places.state)
        stack.push_async_callback(stores.close)
        clock = SystemClock()
        events = Events(clock)

        readers = WorkerPool(
            name="reading",
            size=len(os.sched_getaffinity(0)),
            idle_seconds=READER_IDLE_SECONDS,
            memory_bytes=READER_MEMORY_BYTES,
        )
        stack.push_async_callback(readers.close)
        library = Library(
            stores.library,
            MusicFolder(places.music, config.music, readers),
            make_watcher(places.music, config.music),
            events=events,
            clock=clock,
            config=config.music,
        )

        embedder = WorkerEmbedder(
            chooser.recipe(),
            idle_seconds=config.embedding.idle_minutes * 60,
            timeout_seconds=config.embedding.track_timeout_seconds,
        )
        stack.push_async_callback(embedder.close)
        stamp = embedder.stamp
        embedding = Embedding(
            stores.embeddings,
            embedder,
            library.path,
            preference=chooser,
            events=events,
            clock=clock,
            on_hold=on_battery if config.embedding.pause_on_battery else never,
        )

        pupil = WorkerPool(name="evaluator", size=1, idle_seconds=EVALUATOR_IDLE_SECONDS)
        stack.push_async_callback(pupil.close)
        training = Training(
            ratings=stores.ratings,
            embeddings=stores.embeddings,
            evaluators=stores.evaluators,
            evaluator=WorkerEvaluator(pupil),
            scheduler=ApScheduler(),
            events=events,
            clock=clock,
            config=config.training,
            stamp=stamp,
        )

        drawers = WorkerPool(name="report", size=1, idle_seconds=DRAWER_IDLE_SECONDS)
        stack.push_async_callback(drawers.close)
        reporting = Reporting(
            library=stores.library,
            ratings=stores.ratings,
            plays=stores.plays,
            embeddings=stores.embeddings,
            evaluators=stores.evaluators,
            queue=stores.queue,
            reporter=WorkerReporter(drawers),
            clock=clock,
            stamp=stamp,
        )

        player = MpdPlayer(config.mpd, places.music, config.ratings.channel, clock)
        listening = Listening(stores.library, stores.plays, events, clock, config.listening)
        queueing = Queueing(
            library=stores.library,
            store=stores.queue,
            plays=stores.plays,
            player=player,
            events=events,
            clock=clock,
            config=config.picks,
        )
        ratings = Ratings(stores.ratings, events, clock)
        targets = Targets(stores.library, player)
        mirroring = Mirroring(
            player=player,
            library=stores.library,
            store=stores.ratings,
            ratings=ratings,
            stickers=stores.stickers,
            events=events,
            clock=clock,
            config=config.ratings,
        )
        attending = Attending(
            player=player,
            listening=listening,
            queueing=queueing,
            channel=Channel(player, targets, ratings, queueing),
            mirror=mirroring,
            events=events,
            clock=clock,
        )

        tracks = Tracks(targets, stores.library, stamp)
        server = RpcServer(
            config.rpc,
            places.socket,
            Servicers(
                ratings=RatingServicer(ratings, stores.ratings, tracks),
                library=LibraryServicer(
                    library=library,
                    store=stores.library,
                    embedding=embedding,
                    embeddings=stores.embeddings,
                    similar=Similar(stores.embeddings, stamp),
                    tracks=tracks,
                    stamp=stamp,
                ),
                picks=PickServicer(
                    picker=queueing,
                    curiosity=training.curiosity,
                    requests=Requests(stores.library, player),
                    tracks=tracks,
                    default_count=config.picks.ahead,
                ),
                evaluators=EvaluatorServicer(training, stores.evaluators),
                daemon=DaemonServicer(
                    Standing(
                        library=stores.library,
                        player=player,
                        tracks=tracks,
                        embedding=embedding,
                        picker=queueing,
                        trainer=training,
                    ),
                    Watching(events, clock),
                    Copies(stores.database.path),
                    reporting,
                ),
                history=HistoryServicer(
                    Transfer(
                        library=stores.library,
                        history=stores.ratings,
                        plays=stores.plays,
                        ratings=ratings,
                        clock=clock,
                        stamp=stamp,
                    ),
                    Foreign(stores.library, TagRatings(library.path), player),
                ),
            ),
        )
        stack.push_async_callback(server.stop)

        lives: dict[str, Life] = {
            "library": library.run,
            "embedding": embedding.run,
            "training": training.run,
            "attending to MPD": attending.run,
            "mirroring ratings": mirroring.run,
        }
        if config.ratings.write_file_tags:
            lives["writing ratings into tags"] = Tagging(
                tags=FileTags(library.path),
                library=stores.library,
                store=stores.ratings,
                events=events,
                clock=clock,
            ).run
        if screen is not None:
            lives["screen"] = Feed(
                screen,
                library=library,
                embedding=embedding,
                training=training,
                player=player,
                queueing=queueing,
                tracks=stores.library,
                clock=clock,
            ).run
        yield Parts(clock, stores, server, lives, embedding.superseded)
