"""Scores of all candidates for one wish, from stored vectors, tags and paths.

| wish | score |
|---|---|
| tag | of the sound tag; with an embedder that has none, whether the genre tag has it: 1 or 0 |
| seed | cosine similarity to the mean vector of the seed's tracks |
| decade | years between the year tag and the decade, negative |
| folder | whether the file is below it: 1 or 0 |
| energy | mean of standardised brightness, loudness and onset strength; distance to the level |

Scores of different wishes cannot be compared; `fit.place` makes them comparable.
"""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain import artist_names
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.pick import Candidates, Floats
from anagnorisisd.domain.steering import (
    DecadeWish,
    EnergyWish,
    FolderWish,
    SeedKind,
    SeedWish,
    TagWish,
    Wish,
)
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.musicnn import plan as musicnn
from anagnorisisd.embedding.sound_tags import TAG_OF_WORD, SoundTagIndex
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.steering import fit
from anagnorisisd.steering.fit import WishScores
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.metadata_queries import TagColumn, TrackMetadata
from anagnorisisd.taste.nearest_tracks import similarities

Numbers = NDArray[np.float32] | NDArray[np.float64]

NO_VECTORS = "none of its tracks is embedded yet"
NO_SCORES = "it fits no track better than another"


class WishScorer:
    """Computes the scores; a pass over all vectors takes a second for 100,000 tracks."""

    def __init__(
        self,
        library: LibraryStore,
        embeddings: EmbeddingStore,
        sound_tags: SoundTagIndex,
        stamp: EmbedderStamp,
    ) -> None:
        self._library = library
        self._embeddings = embeddings
        self._sound_tags = sound_tags
        self._stamp = stamp

    async def score(self, wish: Wish, candidates: Candidates) -> WishScores:
        """Return the scores of all candidates for a wish."""
        match wish:
            case TagWish():
                found = await self._tag(wish, candidates)
            case SeedWish():
                found = await self._similarity(wish, candidates)
            case EnergyWish():
                found = await self._energy(wish, candidates)
            case DecadeWish(year):
                found = await self._decade(year, candidates)
            case FolderWish(path):
                found = WishScores(
                    await self._by_metadata(
                        lambda tags, uri: float(is_below(uri, path)), candidates
                    ),
                    is_membership=True,
                )
        if not found.problem and not fit.distinguishes(found.scores):
            return WishScores(found.scores, NO_SCORES)
        return found

    async def seeds(self, wish: SeedWish) -> Sequence[TrackId]:
        """Return the present tracks of a seed."""
        if wish.kind is SeedKind.TRACK:
            return [TrackId(wish.value)]
        column = TagColumn.ARTIST if wish.kind is SeedKind.ARTIST else TagColumn.ALBUM
        tags = await self._library.distinct_tags(column)
        wanted = artist_names.key(wish.value)
        names = (
            artist_names.artists(tags)
            if column is TagColumn.ARTIST
            else [frozenset({artist_names.key(tag)}) for tag in tags]
        )
        matching = [tag for tag, keys in zip(tags, names, strict=True) if wanted in keys]
        return await self._library.tagged(column, matching)

    async def _tag(self, wish: TagWish, candidates: Candidates) -> WishScores:
        reason = ""
        tag = TAG_OF_WORD.get(wish.name.casefold())
        if tag is not None:
            try:
                heard = await self._sound_tags.scores(tag)
            except PreconditionFailed as error:
                reason = str(error)
            else:
                return WishScores(await asyncio.to_thread(_aligned, candidates, *heard))
        wanted = artist_names.key(wish.name)
        scores = await self._by_metadata(
            lambda tags, uri: float(wanted in artist_names.genres(tags.genre or "")), candidates
        )
        if not fit.distinguishes(scores):
            reason = f"{reason}; " if reason else ""
            return WishScores(scores, f"{reason}no file has the genre {wish.name}")
        problem = f"{reason}; the genre tags of the files count instead" if reason else ""
        return WishScores(scores, problem, is_membership=True)

    async def _decade(self, year: int, candidates: Candidates) -> WishScores:
        def minus_distance(tags: Tags, uri: Uri) -> float:
            if tags.year is None:
                return float("nan")
            return -float(max(year - tags.year, tags.year - (year + 9), 0))

        scores = await self._by_metadata(minus_distance, candidates)
        if fit.distinguishes(scores) and np.nanmax(scores) < 0:
            problem = f"no track is of the {year}s; those of the nearest years count"
            return WishScores(scores, problem)
        return WishScores(scores)

    async def _similarity(self, wish: SeedWish, candidates: Candidates) -> WishScores:
        scores = np.full(len(candidates), np.nan)
        vectors = [
            batch.vectors
            async for batch in self._embeddings.track_features(
                self._stamp, only=await self.seeds(wish)
            )
        ]
        if not vectors:
            return WishScores(scores, NO_VECTORS)
        # Standardising is linear, so the mean vector is standardised like the others.
        seed = np.concatenate(vectors).mean(axis=0)
        stats = await self._embeddings.feature_stats(self._stamp)
        async for batch in self._embeddings.track_features(self._stamp):
            cosines = await asyncio.to_thread(similarities, seed, batch.vectors, stats)
            _put(scores, candidates, np.array(batch.track_ids, "S32"), cosines)
        return WishScores(scores)

    async def _energy(self, wish: EnergyWish, candidates: Candidates) -> WishScores:
        if not has_energy(self._stamp):
            unknown = np.full(len(candidates), np.nan)
            return WishScores(unknown, f"embeddings by {self._stamp.name} have no energy")
        first, last = min(features.ENERGY_DIMENSIONS), max(features.ENERGY_DIMENSIONS)
        track_ids, values = await self._embeddings.values(self._stamp, first, last + 1)
        if not len(values):
            return WishScores(np.full(len(candidates), np.nan), "no track is embedded yet")
        columns = values[:, [number - first for number in features.ENERGY_DIMENSIONS]]
        deviation = columns.std(axis=0)
        centred = (columns - columns.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        energy = await asyncio.to_thread(_aligned, candidates, track_ids, centred.mean(axis=1))
        level = np.where(np.isnan(energy), np.nan, await asyncio.to_thread(fit.place, energy))
        return WishScores(-np.abs(level - wish.level))

    async def _by_metadata(
        self, score: Callable[[Tags, Uri], float], candidates: Candidates
    ) -> Floats:
        scores = np.full(len(candidates), np.nan)

        def add(page: TrackMetadata) -> None:
            values = [score(tags, uri) for tags, uri in zip(page.tags, page.uris, strict=True)]
            _put(scores, candidates, page.track_ids, np.array(values))

        async for page in self._library.metadata():
            await asyncio.to_thread(add, page)
        return scores


def has_sound_tags(stamp: EmbedderStamp) -> bool:
    """Return whether an embedder gives sound tags."""
    return stamp.name == musicnn.STAMP.name


def has_energy(stamp: EmbedderStamp) -> bool:
    """Return whether the vectors of an embedder begin with those of `features`."""
    return stamp.name in {features.STAMP.name, musicnn.STAMP.name}


def is_below(uri: Uri, folder: str) -> bool:
    """Return whether a file is below a folder."""
    return uri.startswith(f"{folder.strip('/')}/")


def _aligned(candidates: Candidates, track_ids: Sequence[TrackId], values: Numbers) -> Floats:
    """Return the values in the order of the candidates, NaN for those without one."""
    scores = np.full(len(candidates), np.nan)
    _put(scores, candidates, np.array(track_ids, "S32"), values)
    return scores


def _put(
    scores: Floats, candidates: Candidates, track_ids: NDArray[np.bytes_], values: Numbers
) -> None:
    """Set the scores of those tracks that are candidates."""
    if not len(candidates):
        return
    rows = np.searchsorted(candidates.track_ids, track_ids).clip(max=len(candidates) - 1)
    found = candidates.track_ids[rows] == track_ids
    scores[rows[found]] = values[found]
