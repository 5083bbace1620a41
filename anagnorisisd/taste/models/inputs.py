"""Inputs of the models: the standardised embedding, and the metadata as codes.

Two tracks have the same artist, album and so on when their codes are equal; 0 means unknown,
which is equal to nothing. Codes are hashes of the text, so that tracks which come later compare
with those of the training without keeping any text.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import FeatureStats, Floats64, TrackFeatures, Vectors
from anagnorisisd.domain.track import Tags, Uri

Codes = NDArray[np.int64]

TRAITS = ("artist", "album", "folder", "parent_folder", "genre")
"""The columns of the codes. The *parent folder* contains a track's folder, which in most
libraries is the artist's, also where tags are missing."""

CLIP_DEVIATIONS = 5.0
"""Limits the influence of an outlier in one dimension on the distance to other tracks."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Features of `n` tracks.

    `sound` is `[n, d]`: standardised over the library and scaled so that two random tracks are
    at a squared distance of about 2 in each of its `segments`, whatever the embedder. `codes` is
    `[n, len(TRAITS)]`, and `year` is `[n]`, NaN where unknown.
    """

    sound: Vectors
    codes: Codes
    year: Floats64
    segments: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.sound)

    def sounds(self) -> list[Vectors]:
        """Return the segments of the sound, `[n, length]` each."""
        return [self.sound[:, columns] for columns in segment_slices(self.segments)]

    def take(self, rows: NDArray[np.intp] | slice) -> Self:
        """Return some of the tracks."""
        return type(self)(self.sound[rows], self.codes[rows], self.year[rows], self.segments)

    def concatenate(self, others: Self) -> Self:
        """Return these tracks and `others` after them."""
        return type(self)(
            np.concatenate([self.sound, others.sound]),
            np.concatenate([self.codes, others.codes]),
            np.concatenate([self.year, others.year]),
            self.segments,
        )


@dataclass(frozen=True, slots=True)
class ImplicitExamples:
    """Played tracks without a rating, and the liking computed from their plays, `[n]`, -1 to 1."""

    inputs: Inputs
    liking: Floats64

    def __len__(self) -> int:
        return len(self.liking)


@dataclass(frozen=True, slots=True)
class Examples:
    """Rated tracks: the newest rating, `[n]`, of each, and when it was given (unix seconds).

    `liking` is computed from their plays, 0 if never played; `implicit_feedback` holds unrated
    tracks that were played.
    """

    inputs: Inputs
    ratings: Floats64
    rated_at: Floats64
    liking: Floats64
    implicit_feedback: ImplicitExamples

    def __len__(self) -> int:
        return len(self.ratings)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return some of the examples."""
        return type(self)(
            self.inputs.take(rows),
            self.ratings[rows],
            self.rated_at[rows],
            self.liking[rows],
            self.implicit_feedback,
        )


def prepare(tracks: TrackFeatures, feature_stats: FeatureStats) -> Inputs:
    """Return `tracks` as inputs, standardised by the `feature_stats` of the whole library."""
    return Inputs(
        sound=standardise(tracks.vectors, feature_stats),
        codes=_codes(tracks.tags, tracks.uris),
        year=np.array([tag.year if tag.year else np.nan for tag in tracks.tags], np.float64),
        segments=segments_of(feature_stats),
    )


def segments_of(feature_stats: FeatureStats) -> tuple[int, ...]:
    """Return the lengths of the segments of a vector; at least one."""
    return feature_stats.segments or (len(feature_stats.mean),)


def segment_slices(segments: Sequence[int]) -> list[slice]:
    """Return the columns of each segment."""
    ends = np.cumsum(segments).tolist()
    return [slice(end - length, end) for length, end in zip(segments, ends, strict=True)]


def standardise(vectors: Vectors, feature_stats: FeatureStats) -> Vectors:
    """Return `[n, d]` with mean 0 and, summed over the dimensions of a segment, variance 1.

    Dimensions that hardly vary over the library carry rounding noise only and become 0, and so
    does whatever is not finite.
    """
    alive = feature_stats.stddev > np.abs(feature_stats.mean) * 1e-6 + 1e-12
    width = np.where(alive, feature_stats.stddev, np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = ((vectors - feature_stats.mean) / width).astype(np.float32)
    scaled[~np.isfinite(scaled)] = 0.0
    np.clip(scaled, -CLIP_DEVIATIONS, CLIP_DEVIATIONS, out=scaled)
    for columns in segment_slices(segments_of(feature_stats)):
        scaled[:, columns] /= np.float32(math.sqrt(max(1, int(np.count_nonzero(alive[columns])))))
    return scaled


def _codes(tags: Sequence[Tags], uris: Sequence[Uri]) -> Codes:
    rows = [_traits(tag, uri) for tag, uri in zip(tags, uris, strict=True)]
    return np.array(rows, np.int64).reshape(-1, len(TRAITS))


def _traits(tags: Tags, uri: Uri) -> tuple[int, ...]:
    folder = uri.rpartition("/")[0]
    parent_folder = folder.rpartition("/")[0]
    album = f"{tags.album}\0{tags.album_artist or folder}" if tags.album else None
    genre = re.split(r"[;,/]", tags.genre, maxsplit=1)[0] if tags.genre else None
    return tuple(
        map(_code, (tags.artist or tags.album_artist, album, folder, parent_folder, genre))
    )


@lru_cache(maxsize=65536)
def _code(text: str | None) -> int:
    folded = text.strip().casefold() if text else ""
    if not folded:
        return 0
    digest = blake2b(folded.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
