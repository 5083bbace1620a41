"""Tracks and the files that they lie in."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.reader_loss import HeldBack
from anagnorisisd.domain.replacement import Replacement
from anagnorisisd.domain.score import Candidates
from anagnorisisd.domain.track import ScannedFile, SeenFile, Track, TrackId, Uri


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
class TrackKey:
    """Where a track stands in an order: what it is ordered by, if it has that, and its id."""

    value: float | None
    track_id: TrackId

    @classmethod
    def of(cls, track: Track, order: TrackOrder) -> Self:
        """Return the key of `track`, for the page after it."""
        match order:
            case TrackOrder.ADDED:
                value: float | None = track.added_at
            case TrackOrder.RATING:
                value = track.rating
            case TrackOrder.PREDICTED_RATING:
                value = track.prediction.mean if track.prediction else None
            case TrackOrder.LAST_PLAYED:
                value = track.last_played_at
        return cls(value, track.track_id)


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

    added: tuple[TrackId, ...] = ()
    moved: int = 0
    changed: int = 0
    problems: int = 0

    def __add__(self, other: "Absorbed") -> "Absorbed":
        """Return what both together changed."""
        return Absorbed(
            self.added + other.added,
            self.moved + other.moved,
            self.changed + other.changed,
            self.problems + other.problems,
        )


class LibraryStore(Protocol):
    """Tracks and the files that they lie in."""

    async def seen(self, below: Uri | None = None) -> set[SeenFile]:
        """Return every file that is not missing, unreadable ones included, as last seen.

        With `below`, only of that file, or of the files below that folder.
        """
        ...

    async def held_back(self, below: Uri | None = None) -> Mapping[SeenFile, HeldBack]:
        """Return the files that cost the process that read them, as they were then.

        One that was read since, or has changed, is none of them; `below` as for `seen`.
        """
        ...

    async def absorb(self, files: Sequence[ScannedFile], at: float) -> Absorbed:
        """Store a batch of files: new tracks, new places of known ones, problems.

        A file whose track is known already is a move or a copy: only its place and tags change.
        """
        ...

    async def settle_replacements(self, at: float) -> Sequence[Replacement]:
        """Judge the files whose place was taken by another track since the last time.

        Where it is evidently the same piece, newest rating and plays pass on to the new track.
        Call it when the whole of a change was absorbed: a track that lies elsewhere was moved.
        """
        ...

    async def mark_missing(self, uris: Iterable[Uri], at: float) -> int:
        """Mark files as gone; return how many tracks thereby lost their last file."""
        ...

    async def missing(self, below: Uri | None = None) -> set[SeenFile]:
        """Return the files that are missing, as last seen; `below` as for `seen`."""
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

    async def duration_at(self, uri: Uri) -> float | None:
        """Return how long the file at `uri` is by its own headers; `None` where not known."""
        ...

    async def tracks(
        self,
        stamp: EmbedderStamp,
        *,
        only: TrackFilter = TrackFilter.ALL,
        order: TrackOrder = TrackOrder.ADDED,
        text: str = "",
        limit: int,
        after: TrackKey | None = None,
    ) -> Sequence[Track]:
        """Return the page of tracks that follows `after`.

        `text` is searched in title, artist, album and path.
        """
        ...

    async def uris(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, Uri]:
        """Return a present file of each track that has one."""
        ...

    async def copies(self, track_ids: Sequence[TrackId]) -> Mapping[Uri, TrackId]:
        """Return every present file of these tracks."""
        ...

    async def counts(self, stamp: EmbedderStamp) -> LibraryCounts:
        """Return how many tracks there are in each state."""
        ...

    async def problems(
        self, *, limit: int = 100, after: Uri | None = None
    ) -> Sequence[tuple[Uri, str]]:
        """Return present files that cannot be used, by path, each with its reason.

        `after` is the last path of the page before.
        """
        ...

    async def candidates(
        self, excluded_folders: Sequence[str] = (), excluded_genres: Sequence[str] = ()
    ) -> Candidates:
        """Return all present tracks as columns, ordered by track id.

        `excluded` marks tracks below one of the folders (paths relative to the music
        directory) or of one of the genres (compared without case).
        """
        ...

    async def refreshed(self, known: Candidates, track_ids: Collection[TrackId]) -> Candidates:
        """Return `known` with what ratings, plays and predictions now say of some of it.

        What is present, and how long it is and by whom, stays as it was.
        """
        ...
