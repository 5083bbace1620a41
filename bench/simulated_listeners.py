"""Synthetic libraries and simulated listeners, to measure predictions.

A library has styles, artists, albums and tracks, each with a position in a space of few dimensions:
a track near its album, an album near its artist, an artist near its style. An embedding is a
nonlinear random projection of the position and of as many dimensions unrelated to taste (loudness,
recording), with noise. Some artists have no tags, and some genre tags are wrong.

A listener has preferences for styles, for one direction in that space (energy, say) and for
artists, each with a given standard deviation, and rates with a noise of about one point.
"""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import FeatureStats, Floats64, TrackFeatures, TrainingSet
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.embedding.musicnn import plan as musicnn

STYLES = 8
PLACE_DIMENSIONS = 10
NUISANCE_DIMENSIONS = 10
UNTAGGED_ARTISTS = 0.3
WRONG_GENRES = 0.15
NOISE_POINTS = 1.0

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Library:
    """`n` tracks; `place`, `[n, 10]`, `style` and `artist`, `[n]`, are what the listener hears.

    `segments` are those of the embedder's stamp.
    """

    tracks: TrackFeatures
    place: Floats64
    style: Integers
    artist: Integers
    segments: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def feature_stats(self) -> FeatureStats:
        """Mean and deviation of each dimension."""
        vectors = self.tracks.vectors
        return FeatureStats(vectors.mean(axis=0), vectors.std(axis=0), len(vectors), self.segments)

    @property
    def stamp(self) -> EmbedderStamp:
        """Stamp of a fictional embedder."""
        return EmbedderStamp("synthetic", "1", self.tracks.vectors.shape[1])


def synthetic_library(tracks: int, dimension: int, rng: np.random.Generator) -> Library:
    """Return a library of about eleven tracks an artist, with embeddings of that size."""
    artists = max(STYLES, tracks // 11)
    styles = rng.normal(size=(STYLES, PLACE_DIMENSIONS))
    style_of = rng.integers(STYLES, size=artists)
    artist_places = styles[style_of] + rng.normal(scale=0.6, size=(artists, PLACE_DIMENSIONS))
    # Few artists have many tracks, many have few.
    popularity = rng.pareto(1.5, size=artists) + 0.3
    artist = np.sort(rng.choice(artists, size=tracks, p=popularity / popularity.sum()))
    album = rng.integers(3, size=tracks)
    album_places = rng.normal(scale=0.25, size=(artists, 3, PLACE_DIMENSIONS))
    place = artist_places[artist] + album_places[artist, album]
    place = place + rng.normal(scale=0.5, size=place.shape)
    recording = rng.normal(size=(artists, 3, NUISANCE_DIMENSIONS))[artist, album]
    nuisance = 0.7 * recording + 0.7 * rng.normal(size=recording.shape)
    described = TrackFeatures(
        track_ids=[TrackId(f"{row:032x}") for row in range(tracks)],
        vectors=_embed(place, nuisance, dimension, rng),
        tags=_tags(style_of[artist], artist, album, rng),
        uris=[
            Uri(f"artist {who}/album {which}/{row}.ogg")
            for row, (who, which) in enumerate(zip(artist, album, strict=True))
        ],
    )
    return Library(described, place, style_of[artist], artist)


def embedded_library(state: Path) -> Library:
    """Return the songs embedded in a state directory of the daemon, whichever the embedder.

    Their styles are clusters of their embeddings, and their artists are those of the tags, else
    the folders, so that the same simulated listeners can be tried on real sound.
    """
    from anagnorisisd.storage.stores import open_stores

    async def read() -> tuple[TrackFeatures, tuple[int, ...]]:
        stores = await open_stores(state)
        try:
            query = "SELECT name, version, dimension FROM embedders ORDER BY id DESC LIMIT 1"
            stamp = EmbedderStamp(
                *await stores.database.read(lambda db: db.execute(query).fetchone())
            )
            (tracks,) = [
                batch async for batch in stores.embeddings.track_features(stamp, batch_size=10**6)
            ]
            return tracks, musicnn.STAMP.segments if stamp == musicnn.STAMP else ()
        finally:
            await stores.close()

    tracks, segments = asyncio.run(read())
    vectors = (tracks.vectors - tracks.vectors.mean(axis=0)) / (tracks.vectors.std(axis=0) + 1e-9)
    left, sizes, _ = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
    place = (left * sizes)[:, :PLACE_DIMENSIONS]
    names = [
        tag.artist or uri.rpartition("/")[0]
        for tag, uri in zip(tracks.tags, tracks.uris, strict=True)
    ]
    _, artist = np.unique(names, return_inverse=True)
    return Library(tracks, place, _clusters(place), artist, segments)


def projected(library: Library, dimension: int, rng: np.random.Generator) -> Library:
    """Return the same library with embeddings of another dimension.

    It is a nonlinear random projection of the standardised embeddings.
    """
    stats = library.feature_stats
    sound = (library.tracks.vectors - stats.mean) / (stats.stddev + 1e-9)
    mixing = rng.normal(size=(sound.shape[1], dimension)) / np.sqrt(sound.shape[1])
    vectors = np.tanh(sound @ mixing).astype(np.float32)
    return replace(library, tracks=replace(library.tracks, vectors=vectors), segments=())


def _clusters(place: Floats64) -> Integers:
    """Return the cluster, `[n]`, of each place by a few rounds of k-means."""
    rng = np.random.default_rng(0)
    centres = place[rng.choice(len(place), STYLES, replace=False)]
    for _ in range(30):
        nearest = ((place[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.array(
            [
                place[nearest == style].mean(axis=0) if (nearest == style).any() else centres[style]
                for style in range(STYLES)
            ]
        )
    found: Integers = nearest.astype(np.int64)
    return found


def _embed(
    place: Floats64, nuisance: Floats64, dimension: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    heard = np.hstack([place, nuisance])
    mixing = rng.normal(size=(heard.shape[1], dimension)) / np.sqrt(heard.shape[1])
    vectors = np.tanh(heard @ mixing + rng.normal(scale=0.3, size=dimension))
    vectors += rng.normal(scale=0.3, size=vectors.shape)
    # Dimensions of a real embedder have different sizes.
    scale = rng.lognormal(sigma=1.0, size=dimension)
    scaled: NDArray[np.float64] = vectors * scale + rng.normal(size=dimension)
    return scaled.astype(np.float32)


def _tags(
    style: Integers, artist: Integers, album: Integers, rng: np.random.Generator
) -> list[Tags]:
    untagged = rng.random(artist.max() + 1) < UNTAGGED_ARTISTS
    wrong = rng.random(len(artist)) < WRONG_GENRES
    genre = np.where(wrong, rng.integers(STYLES, size=len(style)), style)
    first_year = rng.integers(1965, 2015, size=artist.max() + 1)
    return [
        Tags()
        if untagged[who]
        else Tags(
            artist=f"Artist {who}",
            album=f"Album {which} of {who}",
            genre=f"Style {kind}",
            year=int(first_year[who] + 2 * which),
        )
        for who, which, kind in zip(artist, album, genre, strict=True)
    ]


@dataclass(frozen=True)
class SimulatedListener:
    """How much styles, the direction and artists matter to somebody, as deviations in points."""

    style: float = 1.3
    direction: float = 0.9
    artist: float = 0.9
    noise: float = NOISE_POINTS
    mean: float = 6.0

    def rate(self, library: Library, rng: np.random.Generator) -> Floats64:
        """Return whole ratings, 0 to 10, of every track."""
        liking = self.mean + self.artist * rng.normal(size=library.artist.max() + 1)[library.artist]
        liking += self.style * rng.normal(size=library.style.max() + 1)[library.style]
        direction = rng.normal(size=library.place.shape[1])
        along = library.place @ direction
        liking += self.direction * (along - along.mean()) / along.std()
        liking += self.noise * rng.normal(size=len(library))
        rated: Floats64 = np.clip(np.round(liking), 0, 10)
        return rated


LISTENERS = {
    "sound": SimulatedListener(artist=0.0),
    "sound and artists": SimulatedListener(),
    "mostly artists": SimulatedListener(style=0.7, direction=0.4, artist=1.6),
}


def training_set(library: Library, rows: Integers, ratings: Floats64) -> TrainingSet:
    """Return the ratings of some tracks of the library as a training set."""
    return TrainingSet(
        tracks=library.tracks.take(rows.tolist()),
        ratings=ratings[rows],
        rated_at=np.arange(len(rows), dtype=np.float64),
        full_plays=np.zeros(len(rows)),
        skips=np.zeros(len(rows)),
        feature_stats=library.feature_stats,
        stamp=library.stamp,
    )
