"""Metrics for Prometheus, over HTTP on loopback; docs/metrics.md says what each one means.

Counters begin anew with each start, as Prometheus expects. The other numbers are read when
somebody asks for them, so that nothing is done for a monitoring that is not there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from anagnorisisd.domain.evaluator import TrainingStatus
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.events import (
    EvaluatorPromoted,
    Event,
    PickQueued,
    PlayerDisconnected,
    PlayRecorded,
    TrackRated,
    TracksEmbedded,
)
from anagnorisisd.metrics.collector import Readings, Stored
from anagnorisisd.metrics.http_server import listening
from anagnorisisd.storage.track_queries import LibraryCounts

Read = Callable[[], Awaitable[Readings]]

READING_SECONDS = 5.0
"""How long whoever asks may wait for the daemon's loop; after that the answer is an error."""

MOST_SOURCES = 20
"""Callers name the source of a rating themselves; from so many on they are all called `other`."""

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class PrometheusExporter:
    """`Meter` by prometheus-client. `address` is host:port, checked by the configuration."""

    def __init__(self, address: str, version: str) -> None:
        self._address = address
        self._version = version
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        # process_start_time_seconds says the same, once for all.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._sources: set[str] = set()
        self._ratings = Counter(
            "anagnorisis_ratings", "Ratings given, by source", ["source"], registry=registry
        )
        self._plays = Counter(
            "anagnorisis_plays", "Plays, by outcome", ["outcome"], registry=registry
        )
        for outcome in PlayOutcome:
            self._plays.labels(outcome.value)
        self._picks = Counter(
            "anagnorisis_picks_queued", "Picks added to the queue", registry=registry
        )
        self._embedded = Counter(
            "anagnorisis_tracks_embedded", "Tracks embedded", registry=registry
        )
        self._promoted = Counter(
            "anagnorisis_evaluators_promoted", "Evaluators promoted", registry=registry
        )
        self._lost = Counter(
            "anagnorisis_mpd_disconnects", "Lost connections to MPD", registry=registry
        )
        self._calls = Histogram(
            "anagnorisis_rpc_duration_seconds",
            "Duration of calls, without streams",
            ["method", "code"],
            buckets=BUCKETS,
            registry=registry,
        )

    def count(self, event: Event) -> None:
        """Count one event; those that no counter is for are passed over."""
        match event:
            case TrackRated(change):
                self._ratings.labels(self._source(change.rating.source)).inc()
            case PlayRecorded(play):
                self._plays.labels(play.outcome.value).inc()
            case PickQueued():
                self._picks.inc()
            case TracksEmbedded(track_ids):
                self._embedded.inc(len(track_ids))
            case EvaluatorPromoted():
                self._promoted.inc()
            case PlayerDisconnected():
                self._lost.inc()

    def time_call(self, method: str, code: str, seconds: float) -> None:
        """Note how long a call took."""
        self._calls.labels(method, code).observe(seconds)

    async def serve(self, read: Read) -> None:
        """Answer until cancelled; see the port."""

        async def page(accept: str) -> tuple[str, bytes]:
            async with asyncio.timeout(READING_SECONDS):
                readings = await read()
            encode, kind = choose_encoder(accept)
            current = _Current(readings, self._version)
            self._registry.register(current)
            try:
                return kind, encode(self._registry)
            finally:
                self._registry.unregister(current)

        async with listening(self._address, page):
            await asyncio.Event().wait()

    def _source(self, name: str) -> str:
        if name not in self._sources and len(self._sources) >= MOST_SOURCES:
            return "other"
        self._sources.add(name)
        return name


class _Current(Collector):
    """How everything stands, read for one page."""

    def __init__(self, readings: Readings, version: str) -> None:
        self._readings = readings
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Yield what was read."""
        readings = self._readings
        yield InfoMetricFamily("anagnorisis", "The daemon", {"version": self._version})
        yield _gauge("mpd_up", "Whether the daemon is connected to MPD", readings.player_connected)
        yield _gauge("picking_enabled", "Whether picks are added to the queue", readings.picking)
        yield _gauge("database_up", "Whether the database answers", readings.stored is not None)
        if readings.stored is not None:
            yield from _stored(readings.stored)


def _stored(stored: Stored) -> Iterator[Metric]:
    yield _tracks(stored.library)
    yield _gauge("tracks_rated", "Tracks that have a rating", stored.library.rated)
    yield _gauge("unusable_files", "Files that cannot be read as music", stored.library.problems)
    speed = stored.embedding.tracks_per_second or 0.0
    yield _gauge(
        "embedding_tracks_per_second", "Speed of embedding, 0 while nothing is embedded", speed
    )
    yield from _training(stored.training)


def _tracks(counts: LibraryCounts) -> Metric:
    tracks = GaugeMetricFamily("anagnorisis_tracks", "Known tracks, by state", labels=["state"])
    for state in ("pending", "embedded", "failed", "missing"):
        tracks.add_metric([state], getattr(counts, state))
    return tracks


def _training(training: TrainingStatus) -> Iterator[Metric]:
    if training.last_training_at is not None:
        yield _gauge(
            "last_training_timestamp_seconds",
            "When the last training ended, with any outcome",
            training.last_training_at,
        )
    if training.evaluator is not None:
        yield _gauge(
            "evaluator_version", "Version of the current evaluator", training.evaluator.version
        )
        yield _gauge(
            "evaluator_heldout_mae_ratio",
            "Mean absolute error on held-out ratings over the baseline error; below 1 is good",
            training.evaluator.metrics.error_ratio,
        )


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"anagnorisis_{name}", documentation, value=float(value))
