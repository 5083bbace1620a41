"""Queries for what the tags and paths of all present tracks say."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database, Row

PAGE_SIZE = 4096

PRESENT = f"""SELECT t.id AS key, t.track_id, f.path, {row_mapping.TAGS}
FROM tracks t JOIN files f ON f.id = t.file
WHERE t.present AND t.id > :after ORDER BY t.id LIMIT :size"""


class TagColumn(StrEnum):
    """A tag whose values name groups of tracks."""

    ARTIST = "artist"
    ALBUM = "album"
    GENRE = "genre"


@dataclass(frozen=True, slots=True)
class TrackMetadata:
    """Ids, `[n]` 32-byte strings as in `Candidates`, tags and paths of tracks."""

    track_ids: NDArray[np.bytes_]
    tags: Sequence[Tags]
    uris: Sequence[Uri]


class MetadataQueries:
    """The part of `LibraryStore` that reads tags and paths of many tracks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def metadata(self) -> AsyncIterator[TrackMetadata]:
        """Yield tags and paths of all present tracks, in batches."""
        async for page in self._database.pages(PRESENT, {}, PAGE_SIZE, _metadata):
            yield page

    async def distinct_tags(self, column: TagColumn) -> Sequence[str]:
        """Return the different values of a tag of the present tracks."""
        query = f"""SELECT DISTINCT f.{column} FROM tracks t JOIN files f ON f.id = t.file
            WHERE t.present AND f.{column} NOT NULL"""
        found = await self._database.read(lambda db: db.execute(query).fetchall())
        return [value for (value,) in found]

    async def tagged(self, column: TagColumn, values: Collection[str]) -> Sequence[TrackId]:
        """Return the present tracks that have one of these values in a tag."""
        query = f"""SELECT t.track_id FROM tracks t JOIN files f ON f.id = t.file
            WHERE t.present AND f.{column} IN (SELECT value FROM json_each(?))"""
        found = await self._database.read(
            lambda db: db.execute(query, [row_mapping.json_list(values)]).fetchall()
        )
        return [TrackId(track_id) for (track_id,) in found]


def _metadata(rows: list[Row]) -> TrackMetadata:
    return TrackMetadata(
        track_ids=np.array([row["track_id"] for row in rows], dtype="S32"),
        tags=[row_mapping.tags(row) for row in rows],
        uris=[row_mapping.uri(row["path"]) for row in rows],
    )
