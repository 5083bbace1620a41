"""Tags: what MusiCNN's logits say about a track, relative to the library.

Raw probabilities mislead: "electronic" leads for almost every track, "happy" stays below 0.01. So
each logit is compared with the library's: a score is a number of standard deviations above the
library's mean. A track has a tag if its score is at least `MIN_SCORE` and the network gives one of
the tag's words at least `MIN_PROBABILITY`, without which a library of one kind of music would have
every tag.

`VOCABULARY` leaves out words that other networks do not confirm, and merges those that nearly
coincide; docs/embedders.md has the figures.
"""

from dataclasses import dataclass

import numpy as np

from anagnorisisd.embedding.musicnn.network import Floats

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
