"""Tags of tracks relative to their library."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.musicnn.network import Floats
from anagnorisisd.embedding.sound_tags import MIN_TRACKS, TAGS, VOCABULARY, WORDS, score

JAZZ, METAL = WORDS.index("jazz"), WORDS.index("metal")


def library(tracks: int = 40) -> Floats:
    """Return logits of tracks that differ at random, none of which is likely to be anything."""
    rng = np.random.default_rng(0)
    return (-5 + 0.1 * rng.normal(size=(tracks, len(WORDS)))).astype(np.float32)


def tags_of(logits: Floats, track: int) -> set[str]:
    return {tag for tag, has in zip(TAGS, score(logits).has[track], strict=True) if has}


def test_the_vocabulary_uses_words_of_the_network_once() -> None:
    used = [word for words in VOCABULARY.values() for word in words]
    assert len(WORDS) == plan.TAGS
    assert set(used) <= set(WORDS)
    assert len(used) == len(set(used))


def test_track_has_the_tag_with_a_high_score() -> None:
    logits = library()
    logits[3, JAZZ] = 0.0

    assert tags_of(logits, 3) == {"jazz"}
    assert score(logits).scores[3, TAGS.index("jazz")] > 3
    assert tags_of(logits, 4) == set()


def test_word_that_is_likely_for_all_tracks_is_no_tag() -> None:
    logits = library()
    logits[:, WORDS.index("electronic")] += 6

    assert "electronic" not in tags_of(logits, 0)


def test_unlikely_word_with_a_high_score_is_no_tag() -> None:
    logits = library()
    logits[3, METAL] = -4.2  # a probability of 0.015

    assert tags_of(logits, 3) == set()


def test_a_small_library_has_no_tags() -> None:
    logits = library(MIN_TRACKS - 1)
    logits[3, JAZZ] = 0.0

    assert tags_of(logits, 3) == set()


@given(
    arrays(np.float32, st.tuples(st.integers(0, 60), st.just(len(WORDS))),
           elements=st.floats(-30, 30, width=32))
)  # fmt: skip
def test_scores_are_finite_and_relative(logits: Floats) -> None:
    found = score(logits)

    assert found.scores.shape == (len(logits), len(TAGS))
    assert np.isfinite(found.scores).all()
    assert not found.has.all(axis=0).any() or not len(logits)
