"""Export metrics to Prometheus over HTTP on loopback; docs/metrics.md describes each metric.

Counters start at 0 when the daemon starts. Gauges are read for each request, so that they cost
nothing while nobody scrapes them.
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
"""Timeout for reading the gauges; after it, the response is an error."""

MAX_SOURCES = 20
"""Maximum number of values of the label `source`, which clients choose freely.

Further sources are counted as `other`.
"""

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class PrometheusExporter:
    """`MetricsSink` for Prometheus; `address` is `host:port`, validated by the configuration."""

    def __init__(self, address: str, version: str) -> None:
        self._address = address
        self._version = version
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        # The `_created` series only repeat process_start_time_seconds.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._sources: set[str] = set()
        self._ratings = Counter(
            "anagnorisis_ratings", "Rating changes, by source", ["source"], registry=registry
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
        self._disconnects = Counter(
            "anagnorisis_mpd_disconnects", "Lost connections to MPD", registry=registry
        )
        self._calls = Histogram(
            "anagnorisis_rpc_duration_seconds",
            "Duration of unary calls",
            ["method", "code"],
            buckets=BUCKETS,
            registry=registry,
        )

    def count(self, event: Event) -> None:
        """Increment the counter of an event; events without a counter are ignored."""
        match event:
            case TrackRated(change):
                self._ratings.labels(self._source_label(change.rating.source)).inc()
            case PlayRecorded(play):
                self._plays.labels(play.outcome.value).inc()
            case PickQueued():
                self._picks.inc()
            case TracksEmbedded(track_ids):
                self._embedded.inc(len(track_ids))
            case EvaluatorPromoted():
                self._promoted.inc()
            case PlayerDisconnected():
                self._disconnects.inc()

    def time_call(self, method: str, code: str, seconds: float) -> None:
        """Record the duration of a call."""
        self._calls.labels(method, code).observe(seconds)

    async def serve(self, read: Read) -> None:
        """Serve requests until cancelled; see `MetricsSink.serve`."""

        async def page(accept: str) -> tuple[str, bytes]:
            async with asyncio.timeout(READING_SECONDS):
                readings = await read()
            encode, content_type = choose_encoder(accept)
            current_gauges = _Gauges(readings, self._version)
            self._registry.register(current_gauges)
            try:
                return content_type, encode(self._registry)
            finally:
                self._registry.unregister(current_gauges)

        async with listening(self._address, page):
            await asyncio.Event().wait()

    def _source_label(self, name: str) -> str:
        if name not in self._sources and len(self._sources) >= MAX_SOURCES:
            return "other"
        self._sources.add(name)
        return name


class _Gauges(Collector):
    """Gauges of one response."""

    def __init__(self, readings: Readings, version: str) -> None:
        self._readings = readings
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        readings = self._readings
        yield InfoMetricFamily("anagnorisis", "The daemon", {"version": self._version})
        yield _gauge("mpd_up", "Whether the daemon is connected to MPD", readings.player_connected)
        yield _gauge("picking_enabled", "Whether picks are added to the queue", readings.picking)
        yield _gauge("steering_active", "Whether picks are steered", readings.steered)
        yield _gauge("database_up", "Whether the database can be read", readings.stored is not None)
        if readings.stored is not None:
            yield from _stored_metrics(readings.stored)


def _stored_metrics(stored: Stored) -> Iterator[Metric]:
    yield _track_metric(stored.library)
    yield _gauge("tracks_rated", "Tracks that have a rating", stored.library.rated)
    yield _gauge(
        "unusable_files", "Files that cannot be read as music", stored.library.unusable_files
    )
    rate = stored.embedding.tracks_per_second or 0.0
    yield _gauge("embedding_tracks_per_second", "Embedding rate, 0 while idle", rate)
    yield from _training_metrics(stored.training)


def _track_metric(counts: LibraryCounts) -> Metric:
    tracks = GaugeMetricFamily("anagnorisis_tracks", "Known tracks, by state", labels=["state"])
    for state in ("pending", "embedded", "failed", "missing"):
        tracks.add_metric([state], getattr(counts, state))
    return tracks


def _training_metrics(training: TrainingStatus) -> Iterator[Metric]:
    if training.last_training_at is not None:
        yield _gauge(
            "last_training_timestamp_seconds",
            "End of the last training, successful or not",
            training.last_training_at,
        )
    if training.evaluator is not None:
        yield _gauge(
            "evaluator_version", "Version of the current evaluator", training.evaluator.version
        )
        yield _gauge(
            "evaluator_heldout_mae_ratio",
            "Mean absolute error on held-out ratings, divided by the baseline error",
            training.evaluator.metrics.error_ratio,
        )


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"anagnorisis_{name}", documentation, value=float(value))
