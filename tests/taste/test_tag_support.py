"""Which tags are stated: none by chance, those that a listener truly likes, and nothing twice."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from anagnorisisd.domain.evaluator import Floats64, TagPreference
from anagnorisisd.domain.track import Tags
from anagnorisisd.taste.tag_support import (
    MIN_DIFFERENCE,
    MIN_GROUPS,
    MIN_TRACKS,
    Groups,
    TagEvidence,
    enough_evidence,
    groups_of,
    preferences,
)
from tests.support.examples import described

NAMES = ("jazz", "metal", "rock", "ambient", "folk")
JAZZ, METAL, ROCK = 0, 1, 2
ARTISTS = 40
DRAWS = 400


def library(rng: np.random.Generator, count: int) -> tuple[Floats64, Groups]:
    """Return scores, `[count, tags]`, and artists of rated tracks; an artist has a sound.

    Metal and rock are nearly the same.
    """
    artist = rng.integers(ARTISTS, size=count)
    scores = 0.7 * rng.normal(size=(ARTISTS, len(NAMES)))[artist]
    scores += 0.7 * rng.normal(size=scores.shape)
    scores[:, ROCK] = scores[:, METAL] + 0.1 * rng.normal(size=count)
    return scores, np.unique(artist, return_inverse=True)[1]


def stated(ratings: Floats64, scores: Floats64, artist: Groups) -> list[TagPreference]:
    """Return the stated tags where the evaluator believes whatever the ratings say.

    So only the test of the ratings is left to refuse a statement.
    """
    has = scores >= 1.0
    centred = ratings - ratings.mean()
    slopes = np.sign((scores - scores.mean(axis=0)).T @ centred)
    evidence = TagEvidence(NAMES, scores.astype(np.float32), has, 2.0 * slopes)
    return preferences(ratings, ratings, artist, evidence)


def at_random(rng: np.random.Generator, artist: Groups) -> Floats64:
    return rng.normal(6, 2, size=len(artist)).clip(0, 10).round()


def by_artist(rng: np.random.Generator, artist: Groups) -> Floats64:
    liking = rng.normal(6, 2, size=ARTISTS)[artist]
    return np.asarray((liking + rng.normal(size=len(artist))).clip(0, 10).round())


def mostly_high(rng: np.random.Generator, artist: Groups) -> Floats64:
    return np.where(rng.random(len(artist)) < 0.15, 1.0, 8.0)


@pytest.mark.parametrize("rate", [at_random, by_artist, mostly_high])
@pytest.mark.parametrize("count", [30, 120])
def test_ratings_that_do_not_depend_on_sound_hardly_ever_give_a_statement(
    rate: Callable[[np.random.Generator, Groups], Floats64], count: int
) -> None:
    wrong = 0
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        scores, artist = library(rng, count)
        wrong += bool(stated(rate(rng, artist), scores, artist))

    assert wrong <= 0.05 * DRAWS


@pytest.mark.parametrize("seed", range(10))
def test_a_liked_and_a_disliked_tag_are_stated_once_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, artist = library(rng, 100)
    ratings = (6 + 2 * scores[:, JAZZ] - 2 * scores[:, METAL] + rng.normal(size=100)).clip(0, 10)

    found = stated(ratings, scores, artist)

    liking = {tag.name: tag.liked for tag in found}
    assert liking.pop("jazz") is True
    assert set(liking) & {"metal", "rock"}
    assert not {"metal", "rock"} <= set(liking), "one says it all"
    assert not any(liking.values())


def test_tag_that_contradicts_the_evaluator_is_left_out() -> None:
    rng = np.random.default_rng(0)
    scores, artist = library(rng, 100)
    ratings = 6 + 2 * scores[:, JAZZ]
    has = scores >= 1.0

    def stated_with(held_out: Floats64, differences: Floats64) -> list[str]:
        evidence = TagEvidence(NAMES, scores.astype(np.float32), has, differences)
        return [tag.name for tag in preferences(ratings, held_out, artist, evidence)]

    certain = np.full(len(NAMES), 2.0)
    assert stated_with(ratings, certain) == ["jazz"]
    assert not stated_with(-ratings, certain), "the held-out predictions say the opposite"
    assert not stated_with(np.full(100, 6.0), certain), "the held-out predictions say nothing"
    assert not stated_with(ratings, -certain), "the library's predictions say the opposite"
    assert not stated_with(ratings, 0.9 * MIN_DIFFERENCE * certain / 2), "it hardly matters"
    assert not stated_with(ratings, np.full(len(NAMES), np.nan)), "nothing is predicted"


def test_one_artist_is_not_enough() -> None:
    has = np.zeros((20, 3), np.bool_)
    has[:MIN_TRACKS, 0] = True
    has[: MIN_TRACKS - 1, 1] = True
    has[-MIN_TRACKS:, 2] = True
    artists = np.array([*range(19 - MIN_TRACKS + 1), *[19] * MIN_TRACKS])
    assert len(np.unique(artists[:MIN_TRACKS])) >= MIN_GROUPS

    assert enough_evidence(has, artists).tolist() == [True, False, False]


def test_tracks_are_grouped_by_artist_or_else_by_folder() -> None:
    tags = [Tags(artist="A"), Tags(album_artist="a "), Tags(), Tags(), Tags()]
    uris = ["x/1.ogg", "y/2.ogg", "z/3.ogg", "z/4.ogg", "5.ogg"]

    groups = groups_of(described(np.zeros((5, 1), np.float32), tags, uris))

    assert (groups[0], groups[2]) == (groups[1], groups[3])
    assert len(set(groups.tolist())) == 3


RATINGS = st.floats(0, 10)


@given(data=st.data())
def test_every_statement_keeps_the_conditions(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 40))
    ratings = data.draw(arrays.arrays(np.float64, count, elements=RATINGS))
    held_out = data.draw(arrays.arrays(np.float64, count, elements=RATINGS))
    scores = data.draw(arrays.arrays(np.float32, (count, 3), elements=st.floats(-9, 9, width=32)))
    has = data.draw(arrays.arrays(np.bool_, (count, 3)))
    groups = data.draw(arrays.arrays(np.intp, count, elements=st.integers(0, 9)))
    differences = data.draw(
        arrays.arrays(np.float64, 3, elements=st.floats(-10, 10) | st.just(np.nan))
    )

    found = preferences(ratings, held_out, groups, TagEvidence("abc", scores, has, differences))

    assert len({tag.name for tag in found}) == len(found)
    for tag in found:
        assert abs(tag.predicted_difference) >= MIN_DIFFERENCE
        assert tag.predicted_difference * tag.rated_difference > 0
        assert tag.rated_tracks >= MIN_TRACKS
