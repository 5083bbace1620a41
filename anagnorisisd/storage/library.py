"""The library: tracks and their files."""

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.track import (
    PostponedRead,
    ScannedFile,
    SeenFile,
    Track,
    TrackId,
    Uri,
    unicode_forms,
)
from anagnorisisd.storage import (
    candidates,
    cue_sheets,
    files,
    listed_files,
    reader_failures,
    replacements,
    row_mapping,
    track_queries,
)
from anagnorisisd.storage.database import batched
from anagnorisisd.storage.files import UpsertResult
from anagnorisisd.storage.listed_files import ListingChanges, UnlistedFiles
from anagnorisisd.storage.metadata_queries import MetadataQueries
from anagnorisisd.storage.replacement_rules import Replacement
from anagnorisisd.storage.track_queries import (
    AudioPart,
    LibraryCounts,
    TrackFilter,
    TrackKey,
    TrackOrder,
)

FILES_PER_WRITE = 50
MARKED_PER_WRITE = 200
REPLACEMENTS_PER_WRITE = 50
"""Files per bulk write, which takes a few milliseconds; other writes run between two of them."""


class LibraryStore(MetadataQueries):
    """Stores tracks and files."""

    async def present_files(self, below: Uri | None = None) -> set[SeenFile]:
        """Return all present files, including unreadable ones, as last seen.

        With `below`, only that file, or the files below that folder.
        """
        return await self._seen(files.PRESENT, below)

    async def missing_files(self, below: Uri | None = None) -> set[SeenFile]:
        """Return the missing files, as last seen; `below` as for `present_files`."""
        return await self._seen(files.MISSING, below)

    async def _seen(self, which: str, below: Uri | None) -> set[SeenFile]:
        pages = self._database.pages(
            files.snapshot_query(which, below),
            files.snapshot_values(below),
            candidates.PAGE_SIZE,
            files.seen_files,
        )
        found: set[SeenFile] = set()
        async for page in pages:
            found.update(page)
        if which is files.PRESENT:
            path = None if below is None else row_mapping.path(below)
            found |= await self._database.read(lambda db: cue_sheets.seen(db, path))
        return found

    async def postponed_reads(self, below: Uri | None = None) -> Mapping[SeenFile, PostponedRead]:
        """Return the files whose next read is postponed because a reader process failed on them.

        `below` as for `present_files`.
        """
        return await self._database.read(lambda db: reader_failures.postponed_reads(db, below))

    async def store_files(self, scanned: Sequence[ScannedFile], at: float) -> UpsertResult:
        """Store a batch of scanned files: new tracks, new paths of known tracks, problems.

        A file whose track is known was moved or copied: only path and tags change.
        """
        parts = await self._database.write_parts(
            partial(files.upsert_files, files=part, at=at)
            for part in batched(scanned, FILES_PER_WRITE)
        )
        return sum(parts, start=UpsertResult())

    async def process_replacements(self, at: float) -> Sequence[Replacement]:
        """Process the tracks that were replaced at their paths since the last call.

        If both are the same piece of music, the newest rating and the plays are transferred to the
        new track. Call it after all files of a scan are stored: before that, a moved track would
        look like a replaced one.
        """
        waiting = await self._database.read(replacements.count_pending)
        if not waiting:
            return []
        settle = partial(replacements.process, limit=REPLACEMENTS_PER_WRITE, at=at)
        parts = [settle] * math.ceil(waiting / REPLACEMENTS_PER_WRITE)
        return [found for part in await self._database.write_parts(parts) for found in part]

    async def mark_missing(self, uris: Iterable[Uri], at: float) -> int:
        """Mark files as missing; return how many tracks lost their last file."""
        return sum(
            await self._database.write_parts(
                partial(files.mark_missing, uris=part, at=at)
                for part in batched(uris, MARKED_PER_WRITE)
            )
        )

    async def mark_present(self, uris: Iterable[Uri], at: float) -> None:
        """Mark missing files as present again, unchanged."""
        await self._database.write_parts(
            partial(files.mark_present, uris=part, at=at)
            for part in batched(uris, MARKED_PER_WRITE)
        )

    async def tunes(self) -> set[SeenFile]:
        """Return the present modules and chiptunes, with the stamps of their files."""
        return await self._database.read(files.tunes)

    async def store_tunes(self, tunes: Sequence[tuple[ScannedFile, Uri]], at: float) -> None:
        """Store modules and chiptunes, each with the URI of the file that it is in."""
        await self._database.write_parts(
            partial(files.upsert_tunes, files=part, at=at)
            for part in batched(tunes, FILES_PER_WRITE)
        )

    async def mark_listed(self, lists: Callable[[Uri], bool]) -> ListingChanges:
        """Store which present files the player lists; return those for which that has changed.

        `lists` is called in a reader thread.
        """
        listed: list[tuple[int, Uri]] = []
        unlisted: list[tuple[int, Uri]] = []
        async for page in self._database.pages(
            listed_files.PAGE,
            {},
            listed_files.PAGE_SIZE,
            lambda rows: listed_files.differences(rows, lists),
        ):
            listed += page.listed
            unlisted += page.unlisted
        await self._database.write_parts(
            partial(listed_files.mark, keys=[key for key, _ in part], listed=is_listed)
            for is_listed, changed in ((True, listed), (False, unlisted))
            for part in batched(changed, MARKED_PER_WRITE)
        )
        return ListingChanges(listed, unlisted)

    async def prefer(self, rank: Callable[[Uri], int]) -> bool:
        """Store the order in which the copies of each track are preferred, the lowest rank first.

        Returns whether that changed.
        """
        copies = await self._database.read(files.copies)
        ranks: dict[int, list[int]] = {}
        for key, uri, preference in copies:
            if rank(uri) != preference:
                ranks.setdefault(rank(uri), []).append(key)
        await self._database.write_parts(
            partial(files.set_preference, keys=list(part), preference=preference)
            for preference, keys in ranks.items()
            for part in batched(keys, MARKED_PER_WRITE)
        )
        return bool(ranks)

    async def unlisted(self) -> UnlistedFiles:
        """Return the present tracks that the player lists under no URI."""
        return await self._database.read(listed_files.unlisted)

    async def track(self, track_id: TrackId, stamp: EmbedderStamp) -> Track:
        """Return one track, with its state for the embedder `stamp`.

        Raises:
            UnknownTrack: the library has no such track.
        """
        return await self._database.read(lambda db: track_queries.one(db, track_id, stamp))

    async def track_at(self, uri: Uri) -> TrackId | None:
        """Return the track whose file is, or if missing was last, at `uri`.

        `album.flac#t=5.0,10.0` is the part of a file that is a track of a cue sheet.
        """
        query = """SELECT track_id FROM files f JOIN tracks t ON t.id = f.track WHERE path = ?
            ORDER BY f.present DESC, f.seen_at DESC, f.id DESC LIMIT 1"""
        row = await self._database.read(
            lambda db: db.execute(query, [cue_sheets.path_at(db, uri)]).fetchone()
        )
        return None if row is None else TrackId(row["track_id"])

    async def duration_at(self, uri: Uri) -> float | None:
        """Return the duration in seconds of the file at `uri`, or `None` if not known."""
        query = """SELECT duration_seconds FROM files WHERE path = ? AND track NOT NULL
            ORDER BY present DESC, seen_at DESC, id DESC LIMIT 1"""
        row = await self._database.read(
            lambda db: db.execute(query, [cue_sheets.path_at(db, uri)]).fetchone()
        )
        return None if row is None else row["duration_seconds"]

    async def tracks(
        self,
        stamp: EmbedderStamp,
        *,
        only: TrackFilter = TrackFilter.ALL,
        order: TrackOrder = TrackOrder.ADDED,
        text: str = "",
        among: Sequence[TrackId] | None = None,
        limit: int,
        after: TrackKey | None = None,
    ) -> Sequence[Track]:
        """Return the page of tracks after the key `after`.

        Every word of `text` must occur in title, artist, album or path. With `among`, only these
        tracks.
        """
        return await self._database.read(
            lambda db: track_queries.page(
                db, stamp, only=only, order=order, text=text, among=among, limit=limit, after=after
            )
        )

    async def uris(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, Uri]:
        """Return the URI of a present file for each track that has one."""
        query = """SELECT track_id, path FROM tracks t JOIN files f ON f.id = t.file
            WHERE t.present AND track_id IN (SELECT value FROM json_each(?))"""
        found = await self._database.read(
            lambda db: db.execute(query, [row_mapping.json_list(track_ids)]).fetchall()
        )
        return {TrackId(track_id): row_mapping.uri(path) for track_id, path in found}

    async def added_since(self, at: float) -> Mapping[TrackId, float]:
        """Return when each present track was added that was added after `at`, in unix seconds."""
        query = "SELECT track_id, added_at FROM tracks WHERE present AND added_at > ?"
        found = await self._database.read(lambda db: db.execute(query, [at]).fetchall())
        return {TrackId(track_id): added_at for track_id, added_at in found}

    async def audio_part(self, track_id: TrackId) -> AudioPart | None:
        """Return the audio file of a track, `None` if it is missing."""
        return await self._database.read(lambda db: track_queries.audio_part(db, track_id))

    async def audio_files(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, Uri]:
        """Return a present file that holds nothing but the track, for each track that has one.

        A track that is a part of a file has none.
        """
        query = """SELECT track_id, min(path) FROM tracks t JOIN files f ON f.track = t.id
            WHERE f.present AND f.source IS NULL
                AND track_id IN (SELECT value FROM json_each(?)) GROUP BY track_id"""
        found = await self._database.read(
            lambda db: db.execute(query, [row_mapping.json_list(track_ids)]).fetchall()
        )
        return {TrackId(track_id): row_mapping.uri(path) for track_id, path in found}

    async def copies(self, track_ids: Sequence[TrackId]) -> Mapping[Uri, TrackId]:
        """Return the URIs of all present files of these tracks."""
        query = """SELECT path, track_id FROM tracks t JOIN files f ON f.track = t.id
            WHERE f.present AND track_id IN (SELECT value FROM json_each(?))"""
        found = await self._database.read(
            lambda db: db.execute(query, [row_mapping.json_list(track_ids)]).fetchall()
        )
        return {row_mapping.uri(path): TrackId(track_id) for path, track_id in found}

    async def counts(self, stamp: EmbedderStamp) -> LibraryCounts:
        """Return the numbers of tracks by state."""
        return await self._database.read(lambda db: track_queries.counts(db, stamp))

    async def unusable_files(
        self, *, limit: int = 100, after: Uri | None = None
    ) -> Sequence[tuple[Uri, str]]:
        """Return unusable files with their reasons, ordered by path.

        `after` is the last path of the previous page.
        """
        query = """SELECT path, problem FROM files WHERE track IS NULL AND path > ?
            ORDER BY path LIMIT ?"""
        values = (b"" if after is None else row_mapping.path(after), limit)
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return [(row_mapping.uri(path), problem) for path, problem in found]

    async def candidates(
        self, excluded_folders: Sequence[str] = (), excluded_genres: Sequence[str] = ()
    ) -> Candidates:
        """Return all present tracks that the player lists as columns, ordered by track id.

        `excluded` marks tracks below one of the folders (paths relative to the music
        directory) or of one of the genres (case-insensitive).
        """
        folders = [
            row_mapping.path(Uri(form.strip("/")))
            for folder in excluded_folders
            for form in unicode_forms(folder)
        ]
        excluded = await self._database.read(
            lambda db: candidates.excluded(db, folders, excluded_genres)
        )
        read = candidates.Pages()
        async for _ in self._database.pages(candidates.PAGE, {}, candidates.PAGE_SIZE, read.add):
            pass
        mean = await self._database.read(candidates.mean_rating)
        # Sorting a million rows takes a second, so not in the event loop or a reader thread.
        return await asyncio.to_thread(read.concatenate, excluded, mean)

    async def refreshed(self, known: Candidates, track_ids: Collection[TrackId]) -> Candidates:
        """Return a copy of `known` with current ratings, plays and predictions of some tracks.

        The set of tracks, their durations and artists are not updated.
        """
        return await self._database.read(lambda db: candidates.refreshed(db, known, track_ids))
