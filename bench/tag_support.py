"""How often a preferred sound tag is found although the ratings do not depend on sound.

Simulated songs have 14 tags, of which two are nearly the same, and artists with a sound of their
own. Their ratings are random, follow artists that are liked at random, or are high but for a few.
The share of listeners of whom `tag_support.supported_tags` finds a preferred tag is to be small;
beside it stands that of the same test where each track counts as an artist of its own.
"""

from collections.abc import Callable

import numpy as np

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.tag_support import SIGNIFICANCE, Groups, enough_evidence, supported_tags

TAGS, ARTISTS = 14, 40
SIZES = (30, 100, 200)
LISTENERS, FULL_LISTENERS = 100, 1000

Rate = Callable[[np.random.Generator, Groups], Floats64]


def run(full: bool) -> None:
    """Print the shares."""
    listeners = FULL_LISTENERS if full else LISTENERS
    print(f"## Preferred tags found by chance, of {listeners} listeners, at p <= {SIGNIFICANCE}\n")
    print("| ratings | number | by artist | by track |")
    print("|---|---|---|---|")
    for name, rate in RATINGS.items():
        for size in SIZES:
            found = [_found(np.random.default_rng(seed), rate, size) for seed in range(listeners)]
            by_artist, by_track = np.mean(found, axis=0)
            print(f"| {name} | {size} | {by_artist:.1%} | {by_track:.1%} |", flush=True)
    print()


def _found(rng: np.random.Generator, rate: Rate, size: int) -> tuple[bool, bool]:
    """Return whether a preferred tag is found by artist, and by track."""
    artist = rng.integers(ARTISTS, size=size)
    scores = 0.7 * rng.normal(size=(ARTISTS, TAGS))[artist] + 0.7 * rng.normal(size=(size, TAGS))
    scores[:, 1] = scores[:, 0] + 0.1 * rng.normal(size=size)
    ratings = rate(rng, artist)
    by_artist = np.unique(artist, return_inverse=True)[1]
    tested = enough_evidence(scores >= 1.0, by_artist)
    by_track = np.arange(size)
    return (
        bool(supported_tags(ratings, scores, by_artist, tested)),
        bool(supported_tags(ratings, scores, by_track, tested)),
    )


def _at_random(rng: np.random.Generator, artist: Groups) -> Floats64:
    return rng.normal(6, 2, size=len(artist)).clip(0, 10).round()


def _by_artist(rng: np.random.Generator, artist: Groups) -> Floats64:
    liking = rng.normal(6, 2, size=ARTISTS)[artist]
    return np.asarray((liking + rng.normal(size=len(artist))).clip(0, 10).round())


def _mostly_high(rng: np.random.Generator, artist: Groups) -> Floats64:
    return np.where(rng.random(len(artist)) < 0.15, 1.0, 8.0)


RATINGS = {"random": _at_random, "by artist": _by_artist, "mostly high": _mostly_high}
