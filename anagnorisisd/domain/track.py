"""Tracks and the files that hold them.

A *track* is identified by a hash of its audio payload. Moving, renaming or retagging a *file* does
not change its track, so that ratings and plays are kept.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

TrackId = NewType("TrackId", str)
"""Hash of the audio payload: 32 lower-case hexadecimal digits (BLAKE2b, 128 bits).

Where the audio is not on this computer, a hash of URI and duration (`storage.uri_identities`)."""

Uri = NewType("Uri", str)
"""Path of a file relative to the music directory, `/`-separated, as MPD names it; a track of a cue
sheet is below the sheet, as in `album.cue/track0001`.

Bytes that are not UTF-8 are kept as surrogates (`os.fsdecode`)."""


def unicode_forms(path: str) -> frozenset[str]:
    """Return a path as it was typed and in both Unicode normal forms.

    File names from macOS are decomposed (NFD); keyboards mostly give NFC.
    """
    return frozenset((path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD"))))


DISC = re.compile(
    r"(?P<set>.*?)[/\s._,;:(\[-]+(?:cd|dis[ck])[\s._-]*(?P<disc>\d{1,2})[)\]]?\s*", re.I | re.S
)


def split_disc(name: str) -> tuple[str, int | None]:
    """Split the name of one disc, an album tag or a folder, into that of the set and the disc.

    "Opus (Disc 2)" and "Opus/CD 2" are disc 2 of "Opus"; "Opus 2" is no disc.
    """
    found = DISC.fullmatch(name)
    return (found["set"], int(found["disc"])) if found and found["set"] else (name, None)


class TrackState(StrEnum):
    """Whether a track can be picked and predicted at present."""

    PENDING = "pending"  # present, without an embedding by the current embedder
    EMBEDDED = "embedded"
    FAILED = "failed"  # present, but cannot be embedded; `Track.failure` has the reason
    MISSING = "missing"  # no file is on disk; ratings and plays are kept


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a file. Absent tags are `None`, never empty strings."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None


LATEST_NS = 2**63 - 1
"""The latest modification time that the database can store, in the year 2262."""


class FileStamp(NamedTuple):
    """Size and modification time; a file with the same stamp is not read again."""

    size_bytes: int
    mtime_ns: int


NO_TIME = -1
"""Stands for the modification time in the stamp of a song without a file here; no file has it."""


SeenFile = tuple[bytes, int, int]
"""A file as scans compare it: the bytes of its path, then its stamp.

A plain tuple, because a scan creates and compares one for every file.
"""


NOT_READ = FileStamp(size_bytes=-1, mtime_ns=0)
"""The stamp of a file that could not be opened. No file has it, so that each scan tries again."""


class ReaderFailure(StrEnum):
    """How a file made the process that read it fail."""

    HUNG = "hung"  # The disk may be the cause.
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class PostponedRead:
    """A file that is not read again before `retry_at`, in unix seconds, unless it changes."""

    problem: str
    retry_at: float


@dataclass(frozen=True, slots=True)
class CueTrack:
    """A track of a cue sheet: a part of the audio file `source`, or all of it.

    `end_ms` is `None` for a part up to the end of the file. MPD lists the track at `uri` and, if
    `hides_source`, no longer the file itself.
    """

    uri: Uri
    source: Uri
    start_ms: int
    end_ms: int | None
    tags: Tags
    hides_source: bool = True


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """The result of reading a file: `track_id` and tags, `cue_tracks` of a sheet, or a `problem`.

    `reader_failure` is set if the reading process hung or crashed. `identified_by_uri` says that
    `track_id` is no hash of the audio, which is not on this computer.
    """

    uri: Uri
    stamp: FileStamp
    track_id: TrackId | None
    tags: Tags = Tags()
    duration_seconds: float | None = None
    problem: str | None = None
    reader_failure: ReaderFailure | None = None
    cue_tracks: tuple[CueTrack, ...] = ()
    identified_by_uri: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted rating: mean and standard deviation, in rating points."""

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
