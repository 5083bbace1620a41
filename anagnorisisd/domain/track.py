"""Tracks and files: what is music, and where it lies.

A *track* is identified by a hash of its audio payload, so that moving, renaming or retagging
a *file* changes nothing that the listener said about it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

from anagnorisisd.domain.reader_loss import ReaderLoss

TrackId = NewType("TrackId", str)
"""Hash of the audio payload: 32 lower-case hexadecimal digits (BLAKE2b, 128 bits)."""

Uri = NewType("Uri", str)
"""Path of a file relative to the music directory, `/`-separated, as MPD names it.

Bytes that are not UTF-8 are kept as surrogates (`os.fsdecode`)."""


class TrackState(StrEnum):
    """What the daemon can do with a track at present."""

    PENDING = "pending"  # present, and has no embedding by the current embedder yet
    EMBEDDED = "embedded"
    FAILED = "failed"  # present, but cannot be embedded; the track carries the reason
    MISSING = "missing"  # no file on disk at present; everything known about it is kept


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says about itself. Absent tags are `None`, never empty strings."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None


LATEST_NS = 2**63 - 1
"""In the year 2262; file systems know later times, and databases no larger numbers."""


class FileStamp(NamedTuple):
    """What tells that a file has not changed since it was last read."""

    size_bytes: int
    mtime_ns: int


SeenFile = tuple[bytes, int, int]
"""A file as scans compare it: the bytes of its uri as they are on disk, then its stamp.

A plain tuple, because a rescan makes and compares one for every file.
"""


NOT_READ = FileStamp(size_bytes=-1, mtime_ns=0)
"""Stands for a file that could not be opened: no file has it, so that each scan tries again."""


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file that was read: `track_id` and tags, or the `problem` that prevented it.

    `loss` says that the problem cost the process that read it.
    """

    uri: Uri
    stamp: FileStamp
    track_id: TrackId | None
    tags: Tags = Tags()
    duration_seconds: float | None = None
    problem: str | None = None
    loss: ReaderLoss | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The evaluator's opinion of a track: mean and standard deviation, in rating points."""

    mean: float
    stddev: float


@dataclass(frozen=True, slots=True)
class Track:
    """Everything the library knows of one track. Times are unix seconds."""

    track_id: TrackId
    uri: Uri
    tags: Tags
    duration_seconds: float | None
    added_at: float
    state: TrackState
    failure: str | None = None
    rating: float | None = None
    prediction: Prediction | None = None
    play_count: int = 0
    skip_count: int = 0
    last_played_at: float | None = None

    @property
    def title(self) -> str:
        """The title tag, else the file's name without its extension."""
        return self.tags.title or self.uri.rsplit("/", 1)[-1].rsplit(".", 1)[0]
