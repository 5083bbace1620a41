"""Tracks of songs whose audio is not on this computer: they are identified by URI and duration.

When the audio is seen later, at the same URI, the track gets the audio's hash as its id. Ratings,
plays and all else refer to its row, so that nothing has to be moved.

| at the URI is, or was last | the song's track |
|---|---|
| a track of the same duration | that track |
| a track of the same duration that is at another URI now | a new one |
| nothing, or a track of another duration | that of a song that was moved there; else a new one |

A song was moved if exactly one missing track and exactly one new song have its duration and tags.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import sqlite_utils

from anagnorisisd.domain import artist_names
from anagnorisisd.domain.track import ScannedFile, Tags, TrackId, Uri
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database, Row
from anagnorisisd.storage.replacement_rules import TOLERANCE_SECONDS

PERSON = b"anagnorisis uri"
"""Personalises the hash: whatever audio and URI are, their ids are those of different functions."""

PAGE_SIZE = 2_000

AT_PATH = """
SELECT t.track_id, f.duration_seconds, f.present, t.present AS track_present,
    (SELECT count(*) FROM files o WHERE o.path = f.path AND o.track NOT NULL) AS number
FROM files f JOIN tracks t ON t.id = f.track WHERE f.path = ?
ORDER BY f.present DESC, f.seen_at DESC, f.id DESC LIMIT 1
"""

MISSING = f"""
SELECT t.id AS key, t.track_id, f.duration_seconds, {row_mapping.TAGS}
FROM tracks t JOIN files f ON f.id = t.file
WHERE NOT t.present AND f.title NOT NULL AND f.duration_seconds NOT NULL AND t.id > :after
ORDER BY t.id LIMIT :size
"""

IDENTIFIED_BY_URI = f"""
SELECT f.duration_seconds, {row_mapping.TAGS} FROM tracks t JOIN files f ON f.track = t.id
WHERE t.id = ? AND t.identified_by_uri AND f.path = ?
"""

Recording = tuple[int, str, str, str]
"""By what a moved song is found: milliseconds, title, artist and album."""


@dataclass(frozen=True, slots=True)
class LastTrack:
    """The track that is or was last at a URI, where `number` tracks have been so far."""

    track_id: TrackId
    duration_seconds: float | None
    is_here: bool
    is_present: bool
    number: int


def uri_track_id(uri: Uri, duration_seconds: float | None, number: int = 0) -> TrackId:
    """Return the id of the song at a URI, after `number` others that were there."""
    milliseconds = -1 if duration_seconds is None else round(duration_seconds * 1000)
    text = b"%d %d %s" % (number, milliseconds, row_mapping.path(uri))
    return TrackId(blake2b(text, digest_size=16, person=PERSON).hexdigest())


def same_track(last: LastTrack, duration_seconds: float | None) -> bool:
    """Return whether a song at the URI is the track that is or was there."""
    moved_away = last.is_present and not last.is_here
    return not moved_away and _same_duration(last.duration_seconds, duration_seconds)


def recording(tags: Tags, duration_seconds: float | None) -> Recording | None:
    """Return by what the song is found after a move; `None` without title or duration."""
    if not tags.title or duration_seconds is None:
        return None
    return round(duration_seconds * 1000), tags.title, tags.artist or "", tags.album or ""


class UriIdentityStore:
    """Finds the tracks of songs that are known by their metadata only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last_tracks(self, uris: Sequence[Uri]) -> Mapping[Uri, LastTrack]:
        """Return the tracks that are, or were last, at some URIs."""
        found: dict[Uri, LastTrack] = {}
        for start in range(0, len(uris), PAGE_SIZE):
            page = uris[start : start + PAGE_SIZE]
            found |= await self._database.read(partial(_last_tracks, uris=page))
        return found

    async def missing(self) -> Mapping[Recording | None, Sequence[TrackId]]:
        """Return the missing tracks that have a title and a duration, by recording."""
        found: dict[Recording | None, list[TrackId]] = {}
        async for page in self._database.pages(MISSING, {}, PAGE_SIZE, _recordings):
            for key, track_id in page:
                found.setdefault(key, []).append(track_id)
        return found


def _last_tracks(db: sqlite_utils.Database, uris: Sequence[Uri]) -> dict[Uri, LastTrack]:
    rows = ((uri, db.execute(AT_PATH, [row_mapping.path(uri)]).fetchone()) for uri in uris)
    return {
        uri: LastTrack(
            TrackId(row["track_id"]),
            row["duration_seconds"],
            bool(row["present"]),
            bool(row["track_present"]),
            row["number"],
        )
        for uri, row in rows
        if row is not None
    }


def _recordings(rows: Sequence[Row]) -> list[tuple[Recording, TrackId]]:
    found = ((recording(row_mapping.tags(row), row["duration_seconds"]), row) for row in rows)
    return [(key, TrackId(row["track_id"])) for key, row in found if key is not None]


def upgrade(db: sqlite_utils.Database, file: ScannedFile, track: int) -> bool:
    """Give a track that is identified by its URI the id of its audio, once a file is read there.

    Returns whether it is such a track and the file is its recording: the durations are equal, or
    title and artist are. The new id must be that of no other track.
    """
    if file.identified_by_uri:
        return False
    found = db.execute(IDENTIFIED_BY_URI, [track, row_mapping.path(file.uri)]).fetchone()
    if found is None:
        return False
    before, now = row_mapping.tags(found), file.tags
    if not (
        _same_duration(found["duration_seconds"], file.duration_seconds)
        or (_agree(before.title, now.title) and _agree(before.artist, now.artist))
    ):
        return False
    db.execute(
        "UPDATE tracks SET track_id = ?, identified_by_uri = 0 WHERE id = ?", [file.track_id, track]
    )
    return True


def _same_duration(before: float | None, now: float | None) -> bool:
    return before is None or now is None or abs(before - now) <= TOLERANCE_SECONDS


def _agree(before: str | None, now: str | None) -> bool:
    return bool(before and now) and artist_names.key(before or "") == artist_names.key(now or "")
