"""Sound tags: what MusiCNN's logits say about each track, relative to the library.

Raw probabilities mislead: "electronic" leads for almost every track, "happy" stays below 0.01. So
each logit is compared with the library's: a score is a number of standard deviations above the
library's mean. A track has a tag if its score is at least `MIN_SCORE` and the network gives one of
the tag's words at least `MIN_PROBABILITY`, without which a library of one kind of music would have
every tag. The scores are computed from the stored vectors once per change of the library.

`VOCABULARY` leaves out words that other networks do not confirm, and merges those that nearly
coincide; docs/embedders.md has the figures.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.musicnn.network import Floats
from anagnorisisd.errors import InvalidValue, PreconditionFailed
from anagnorisisd.storage.embeddings import EmbeddingStore

WORDS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
    "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill",
    "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop",
    "sad", "House", "happy",
)  # fmt: skip
"""The words of Last.fm that the network predicts, in the order of its logits."""

VOCABULARY = {
    "ambient": ("ambient",),
    "blues": ("blues",),
    "chillout": ("chillout", "chill"),
    "dance": ("dance", "House", "party"),
    "electronic": ("electronic", "electronica", "electro"),
    "experimental": ("experimental",),
    "folk": ("folk", "acoustic", "country"),
    "guitar": ("guitar",),
    "instrumental": ("instrumental",),
    "jazz": ("jazz",),
    "mellow": ("Mellow", "sad", "beautiful", "easy listening"),
    "metal": ("metal", "heavy metal", "hard rock", "punk"),
    "pop": ("pop",),
    "rock": ("rock", "alternative rock", "alternative", "indie rock"),
}
"""The words that make each tag."""

TAGS = tuple(VOCABULARY)
MEMBERS = tuple(tuple(map(WORDS.index, words)) for words in VOCABULARY.values())

TAG_OF_WORD = {word.casefold(): tag for tag, words in VOCABULARY.items() for word in (tag, *words)}
"""The tag that a word in lower case belongs to, such as `dance` for `house`."""

MIN_SCORE = 1.0
MIN_PROBABILITY = 0.02
MIN_TRACKS = 10
"""Of fewer tracks mean and deviation say little."""
PAUSE_FACTOR = 20


@dataclass(frozen=True, slots=True)
class TagScores:
    """Scores, `[tracks, tags]` in standard deviations, and which tags each track has."""

    scores: Floats
    has: np.ndarray[tuple[int, int], np.dtype[np.bool_]]


def score(logits: Floats) -> TagScores:
    """Return the scores of the tracks of a library, whose logits are `[tracks, words]`."""
    tracks = len(logits)
    if tracks < MIN_TRACKS:
        nothing = np.zeros((tracks, len(TAGS)), np.float32)
        return TagScores(nothing, nothing > 0)
    words = _standardised(logits.astype(np.float64))
    merged = np.stack([words[:, list(members)].mean(axis=1) for members in MEMBERS], axis=1)
    scores = _standardised(merged).astype(np.float32)
    least = np.log(MIN_PROBABILITY / (1 - MIN_PROBABILITY))
    likely = [logits[:, list(members)].max(axis=1) >= least for members in MEMBERS]
    return TagScores(scores, (scores >= MIN_SCORE) & np.stack(likely, axis=1))


def _standardised(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    deviation = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0))


def _column(tag: str) -> int:
    """Return the column of a tag in the scores.

    Raises:
        InvalidValue: there is no such tag.
    """
    if tag not in TAGS:
        raise InvalidValue("sound_tag", f"there is no tag {tag!r}; the tags are {', '.join(TAGS)}")
    return TAGS.index(tag)


@dataclass(frozen=True, slots=True)
class SoundTag:
    """A tag of a track; `score` is in standard deviations above the library's mean."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class LibraryTags:
    """The tags of all tracks; `rows` has the row of each track, `names` those of the columns."""

    rows: Mapping[TrackId, int]
    scores: TagScores
    names: Sequence[str] = TAGS


class SoundTagIndex:
    """Answers which tags a track has, and which tracks have a tag.

    Only the vectors of `musicnn` have tags. With other embedders, or fewer than `MIN_TRACKS`
    vectors, `require` refuses and a track has no tags.
    """

    def __init__(self, embeddings: EmbeddingStore, stamp: EmbedderStamp, clock: Clock) -> None:
        self._embeddings = embeddings
        self._stamp = stamp
        self._clock = clock
        self._rebuild_after = float("-inf")
        self._index: LibraryTags | None = None
        self._building = asyncio.Lock()

    async def of_track(self, track_id: TrackId) -> Sequence[SoundTag]:
        """Return the tags of a track, the most distinctive first; empty if it has none."""
        index = await self.library()
        row = index.rows.get(track_id)
        if row is None:
            return []
        scores, has = index.scores.scores[row], index.scores.has[row]
        tags = [SoundTag(TAGS[column], float(scores[column])) for column in has.nonzero()[0]]
        return sorted(tags, key=lambda tag: -tag.score)

    async def with_tag(self, tag: str) -> Sequence[TrackId]:
        """Return the tracks that have a tag.

        Raises:
            InvalidValue: there is no such tag.
            PreconditionFailed: there are no tags.
        """
        column = _column(tag)
        index = await self._required()
        has = index.scores.has[:, column]
        return [track_id for track_id, row in index.rows.items() if has[row]]

    async def scores(self, tag: str) -> tuple[Sequence[TrackId], Floats]:
        """Return all embedded tracks and their scores in a tag, `[n]`.

        Raises:
            InvalidValue: there is no such tag.
            PreconditionFailed: there are no tags.
        """
        column = _column(tag)
        index = await self._required()
        return list(index.rows), index.scores.scores[:, column]

    async def counts(self) -> Mapping[str, int]:
        """Return how many tracks have each tag.

        Raises:
            PreconditionFailed: there are no tags.
        """
        index = await self._required()
        return dict(zip(TAGS, map(int, index.scores.has.sum(axis=0)), strict=True))

    async def best_examples(self, tag: str, count: int) -> Sequence[TrackId]:
        """Return the tracks that have a tag and stand out most in it, at most `count`.

        Raises:
            PreconditionFailed: there are no tags.
        """
        index = await self._required()
        column = TAGS.index(tag)
        rows = np.flatnonzero(index.scores.has[:, column])
        best = rows[np.argsort(-index.scores.scores[rows, column], kind="stable")[:count]]
        track_ids = list(index.rows)
        return [track_ids[row] for row in best.tolist()]

    async def _required(self) -> LibraryTags:
        if self._stamp.name != plan.STAMP.name:
            raise PreconditionFailed(
                f"embeddings by {self._stamp.name} have no tags, those by {plan.STAMP.name} have"
            )
        index = await self.library()
        if len(index.rows) < MIN_TRACKS:
            raise PreconditionFailed(
                f"tags compare tracks with the library: they need {MIN_TRACKS} embedded tracks, "
                f"there are {len(index.rows)}"
            )
        return index

    async def library(self) -> LibraryTags:
        """Return the tags of all tracks; they are scored anew when the number of vectors changes.

        There are none with another embedder. While a large library is being embedded the number
        always changes: then scoring takes at most a twentieth of the time.
        """
        if self._stamp.name != plan.STAMP.name:
            return LibraryTags({}, score(np.zeros((0, plan.TAGS), np.float32)))
        async with self._building:
            count = await self._embeddings.count(self._stamp)
            changed = self._index is None or len(self._index.rows) != count
            began = self._clock.monotonic()
            if self._index is None or (changed and began >= self._rebuild_after):
                track_ids, logits = await self._embeddings.values(
                    self._stamp, self._stamp.dimension - plan.TAGS, self._stamp.dimension
                )
                rows = {track_id: row for row, track_id in enumerate(track_ids)}
                self._index = LibraryTags(rows, await asyncio.to_thread(score, logits))
                ended = self._clock.monotonic()
                self._rebuild_after = ended + PAUSE_FACTOR * (ended - began)
            return self._index
