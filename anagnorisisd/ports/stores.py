"""What is remembered, by subject. One database stands behind all of them.

Each method is one transaction: when it returns, what it wrote is on disk. Times are unix
seconds. All methods may raise `StoreError`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluation import (
    Described,
    EvaluatorStatus,
    EvaluatorVersion,
    Floats64,
    Heard,
    Moments,
    TrainedModel,
    TrainingSet,
    Vectors,
)
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.score import Candidates
from anagnorisisd.domain.track import FileStamp, ScannedFile, Track, TrackId, Uri


class TrackFilter(StrEnum):
    """Which tracks to list."""

    ALL = "all"
    RATED = "rated"
    UNRATED = "unrated"
    PENDING = "pending"
    FAILED = "failed"
    MISSING = "missing"


class TrackOrder(StrEnum):
    """In which order to list them; the best, latest or newest first. Ties by track id."""

    ADDED = "added"
    RATING = "rating"
    PREDICTED_RATING = "predicted_rating"
    LAST_PLAYED = "last_played"


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """How many tracks there are; the states add up to `tracks`. `problems` counts files."""

    tracks: int
    pending: int
    embedded: int
    failed: int
    missing: int
    rated: int
    problems: int


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What storing a batch of scanned files changed."""

    added: tuple[TrackId, ...]
    moved: int
    changed: int
    problems: int


class LibraryStore(Protocol):
    """Tracks and the files that they lie in."""

    async def stamps(self, below: Uri | None = None) -> Mapping[Uri, FileStamp]:
        """Return the stamp of every file that is not missing, unreadable ones included.

        With `below`, only of that file, or of the files below that folder.
        """
        ...

    async def absorb(self, files: Sequence[ScannedFile], at: float) -> Absorbed:
        """Store a batch of files: new tracks, new places of known ones, problems.

        A file whose track is known already is a move or a copy: only its place and tags change.
        """
        ...

    async def mark_missing(self, uris: Iterable[Uri], at: float) -> int:
        """Mark files as gone; return how many tracks thereby lost their last file."""
        ...

    async def missing_stamps(self, below: Uri | None = None) -> Mapping[Uri, FileStamp]:
        """Return the last known stamps of files that are missing; `below` as for `stamps`."""
        ...

    async def mark_present(self, uris: Iterable[Uri], at: float) -> None:
        """Say that missing files lie where they lay again, and are as they were."""
        ...

    async def track(self, track_id: TrackId, stamp: EmbedderStamp) -> Track:
        """Return one track, its state being relative to the embedder `stamp`.

        Raises:
            UnknownTrack: the library has no such track.
        """
        ...

    async def track_at(self, uri: Uri) -> TrackId | None:
        """Return the track whose file lies (or, if missing, last lay) at `uri`."""
        ...

    async def tracks(
        self,
        stamp: EmbedderStamp,
        *,
        only: TrackFilter = TrackFilter.ALL,
        order: TrackOrder = TrackOrder.ADDED,
        text: str = "",
        limit: int,
        offset: int = 0,
    ) -> Sequence[Track]:
        """Return a page of tracks; `text` is searched in title, artist, album and path."""
        ...

    async def uris(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, Uri]:
        """Return a present file of each track that has one."""
        ...

    async def counts(self, stamp: EmbedderStamp) -> LibraryCounts:
        """Return how many tracks there are in each state."""
        ...

    async def problems(self) -> Sequence[tuple[Uri, str]]:
        """Return the present files that cannot be used, each with its reason."""
        ...

    async def candidates(
        self, excluded_folders: Sequence[str] = (), excluded_genres: Sequence[str] = ()
    ) -> Candidates:
        """Return all present tracks as columns, ordered by track id.

        `excluded` marks tracks below one of the folders (paths relative to the music
        directory) or of one of the genres (compared without case).
        """
        ...


class RatingStore(Protocol):
    """The listener's ratings: an append-only history, the newest entry of a track counts."""

    async def rate(
        self,
        track_id: TrackId,
        value: float | None,
        *,
        at: float,
        source: str,
        delta: float | None = None,
        default: float | None = None,
        request_id: str | None = None,
    ) -> RatingChange:
        """Append a rating (`None` clears it) and return the change.

        With `delta`, `value` is ignored: the current rating, else the rounded predicted rating,
        else `default`, is moved by it, within the same transaction. A `request_id` seen before
        appends nothing and returns what it did the first time. A value equal to the one that
        counts is appended too: it is a fresh word of the listener.

        Raises:
            UnknownTrack: the library has no such track.
        """
        ...

    async def undo(self, *, at: float, source: str, request_id: str | None = None) -> RatingChange:
        """Take the newest change not yet undone back, by appending what counted before it.

        Raises:
            NothingToUndo: no change is left.
        """
        ...

    async def history(
        self, *, track_id: TrackId | None = None, limit: int, before: int | None = None
    ) -> Sequence[Rating]:
        """Return entries, newest first, with a sequence below `before`."""
        ...

    async def current(self) -> Mapping[TrackId, Rating]:
        """Return the entry that counts of every track that has a rating."""
        ...

    async def summary(self) -> tuple[int, float | None]:
        """Return how many tracks have a rating, and the mean of these ratings."""
        ...


class PlayStore(Protocol):
    """Judged plays, append-only; full plays, skips and last played are kept per track."""

    async def append(self, play: Play) -> None:
        """Store a play."""
        ...

    async def recent(self, limit: int) -> Sequence[Play]:
        """Return the newest plays, newest first."""
        ...

    async def between(self, start: float, end: float) -> Sequence[Play]:
        """Return the plays that ended from `start` to `end`, the one that ended first first."""
        ...


class EmbeddingStore(Protocol):
    """Vectors and failures, per track and embedder stamp."""

    async def pending(self, stamp: EmbedderStamp, limit: int) -> Sequence[tuple[TrackId, Uri]]:
        """Return present tracks without a vector or a final failure, the newest added first."""
        ...

    async def put(self, stamp: EmbedderStamp, vectors: Mapping[TrackId, Vectors]) -> None:
        """Store vectors, `[dimension]` each; an older failure of the track is forgotten."""
        ...

    async def fail(
        self, stamp: EmbedderStamp, track_id: TrackId, reason: str, *, final: bool, at: float
    ) -> int:
        """Record a failed try and return how many there were; `final` ends further tries."""
        ...

    async def retry(self, stamp: EmbedderStamp) -> int:
        """Forget all failures, so that their tracks are pending again; return how many."""
        ...

    async def progress(self, stamp: EmbedderStamp) -> EmbeddingProgress:
        """Return the counts of present tracks."""
        ...

    async def get(self, stamp: EmbedderStamp, track_id: TrackId) -> Vectors | None:
        """Return one vector, `[dimension]`."""
        ...

    def described(
        self,
        stamp: EmbedderStamp,
        *,
        batch_size: int = 4096,
        only: Sequence[TrackId] | None = None,
    ) -> AsyncIterator[Described]:
        """Yield the present tracks that have a vector, in batches; `only` limits them."""
        ...

    async def moments(self, stamp: EmbedderStamp) -> Moments:
        """Return mean and deviation of each dimension over all vectors of `stamp`."""
        ...

    async def training_set(self, stamp: EmbedderStamp) -> TrainingSet:
        """Return every track that has both a rating and a vector, missing ones included."""
        ...

    async def heard(self, stamp: EmbedderStamp, limit: int) -> Heard:
        """Return unrated tracks with a vector that were played in full or skipped.

        Of more than `limit` those played last.
        """
        ...

    async def example_count(self, stamp: EmbedderStamp) -> int:
        """Return how many tracks have both a rating and a vector, missing ones included."""
        ...


class EvaluatorStore(Protocol):
    """Trained evaluators and their predicted ratings."""

    async def add(
        self,
        model: TrainedModel,
        stamp: EmbedderStamp,
        *,
        rating_count: int,
        status: EvaluatorStatus,
        verdict: str,
        at: float,
    ) -> EvaluatorVersion:
        """Store a version; `CURRENT` retires the one in charge in the same transaction.

        The models of old versions may be forgotten, their metrics never are.
        """
        ...

    async def current(self) -> EvaluatorVersion | None:
        """Return the evaluator in charge."""
        ...

    async def blob(self, version: int) -> bytes:
        """Return the serialised model of a version, empty where it was forgotten."""
        ...

    async def update_blob(self, version: int, blob: bytes) -> None:
        """Replace the model of a version that learnt from further ratings."""
        ...

    async def versions(self, limit: int) -> Sequence[EvaluatorVersion]:
        """Return versions, newest first."""
        ...

    async def make_current(self, version: int) -> EvaluatorVersion:
        """Put an earlier version in charge.

        Raises:
            InvalidValue: there is no such version.
        """
        ...

    async def put_predictions(
        self, version: int, track_ids: Sequence[TrackId], mean: Floats64, stddev: Floats64
    ) -> None:
        """Store predicted ratings, replacing those of the same tracks."""
        ...

    async def unpredicted(
        self, version: int, stamp: EmbedderStamp, limit: int
    ) -> Sequence[TrackId]:
        """Return present tracks that have a vector and no predicted rating by `version`."""
        ...

    async def last_training(self) -> float | None:
        """Return when the last training that ended, whatever came of it, had begun."""
        ...

    async def record_training(self, at: float, outcome: str) -> None:
        """Remember that a training ended which had begun at `at`."""
        ...


class QueueStore(Protocol):
    """Which queue entries are ours, and whether picking is on."""

    async def entries(self) -> Mapping[SongId, TrackId]:
        """Return our entries as last known."""
        ...

    async def add_entry(self, song_id: SongId, track_id: TrackId, at: float) -> None:
        """Remember that an entry is ours."""
        ...

    async def forget_entries(self, song_ids: Iterable[SongId]) -> None:
        """Forget entries that are gone."""
        ...

    async def setting(self, name: str) -> str | None:
        """Return a remembered switch."""
        ...

    async def put_setting(self, name: str, value: str) -> None:
        """Remember a switch across restarts."""
        ...


class StickerStore(Protocol):
    """The player's stickers as they were last seen or written, by name and file."""

    async def seen(self, name: str) -> Mapping[Uri, str]:
        """Return the values of one name."""
        ...

    async def remember(self, name: str, values: Mapping[Uri, str | None]) -> None:
        """Note values that were seen or written; `None` says that there is none any more."""
        ...
