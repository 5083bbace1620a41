"""Guards: which candidates each of them excludes, and when it is relaxed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.domain.pick import Candidates
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from tests.support.candidates import NEVER, NONE, NOW, candidates, credits_of, name
from tests.support.choosing import (
    ALONE,
    PLAIN,
    choose,
    codes,
    contexts,
    explained,
    libraries,
    pick_rules,
    probabilities,
    rng,
)


@settings(max_examples=40)
@given(libraries(), pick_rules, contexts)
def test_a_guard_is_relaxed_only_if_it_excludes_all(
    found: Candidates, rules: PickRules, context: PickContext
) -> None:
    for guard in explained(found, rules, context, 0).relaxed:
        chances = probabilities(found, rules, context)
        for row in np.flatnonzero(chances).tolist():
            # Were the guard one that this track passes, it would have been kept.
            assert not passes(guard, found, rules, context, row)


def passes(guard: str, found: Candidates, rules: PickRules, context: PickContext, row: int) -> bool:
    """Return whether one guard allows a track, computed for it alone."""
    seconds = found.duration_seconds[row]
    hours = (context.now - found.last_played_at[row]) / 3600
    if guard in {"artist_spread", "album_spread"}:
        spread, values = (
            (rules.artist_spread, artists_of)
            if guard == "artist_spread"
            else (rules.album_spread, albums_of)
        )
        rows = found.rows(list(context.recent)[-spread:])
        return all(not values(found, row) & values(found, near) for near in rows.tolist())
    too_long = rules.max_seconds > 0 and seconds > rules.max_seconds
    passed = {
        "excluded": not found.excluded[row],
        "duration": not (seconds < rules.min_seconds or too_long),
        "removed": name(row) not in context.removed,
        "hours_between_plays": hours < 0 or hours >= rules.min_hours_between_plays,
    }
    return bool(passed[guard])


def artists_of(found: Candidates, row: int) -> set[int]:
    """Return the numbers of the artists of a track."""
    of = found.artists
    return set(of.artist[of.credit == of.of_track[row]].tolist())


def albums_of(found: Candidates, row: int) -> set[int]:
    """Return the code of the album of a track, if it has one."""
    return {int(found.album[row])} - {0}


def test_excluded_tracks_are_picked_if_all_are_excluded() -> None:
    found = candidates(2, excluded=True)
    assert explained(found, PLAIN, ALONE, 0).relaxed == ["excluded"]
    assert len(choose(found, PLAIN, ALONE, 2, rng())) == 2


def test_removed_tracks_are_picked_when_no_others_are_left() -> None:
    removed = PickContext(NOW, removed=[name(0), name(2), name(9)])

    assert (probabilities(candidates(4), PLAIN, removed) > 0).tolist() == [False, True, False, True]
    assert explained(candidates(4), PLAIN, removed, 0).guards == {"removed": 0.0}
    assert explained(candidates(1), PLAIN, removed, 0).relaxed == ["removed"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (PickRules(min_seconds=30), [0, 1, 1, 1]),
        (PickRules(max_seconds=600), [1, 1, 0, 1]),
        (PickRules(min_seconds=30, max_seconds=600), [0, 1, 0, 1]),
    ],
)
def test_duration_guard_allows_unknown_durations(rules: PickRules, expected: list[int]) -> None:
    found = candidates(4, duration_seconds=[10, 200, 3600, NONE])
    allowed = probabilities(found, rules, ALONE) > 0
    assert allowed.tolist() == [bool(each) for each in expected]
    assert explained(found, PickRules(min_seconds=30), ALONE, 0).guards == {"duration": 0.0}


def test_hours_between_plays_guard() -> None:
    played = [NEVER, NOW - 3601, NOW - 3600, NOW - 3599, NOW + 1e9]
    chances = probabilities(
        candidates(5, last_played_at=played), PickRules(min_hours_between_plays=1), ALONE
    )
    assert (chances > 0).tolist() == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("spread", "expected"),
    [(0, [1, 1, 1, 1, 1]), (1, [1, 1, 0, 0, 1]), (2, [0, 1, 0, 0, 1])],
)
def test_artist_spread_compares_with_the_last_tracks(spread: int, expected: list[int]) -> None:
    found = candidates(6, artist=[1, 0, 2, 2, 3, 0])
    context = PickContext(NOW, recent=[name(4), name(0), name(2)])
    chances = probabilities(found, PickRules(artist_spread=spread), context)
    assert (chances[:5] > 0).tolist() == [bool(each) for each in expected]


@given(st.lists(codes, min_size=2, max_size=12), st.integers(1, 3), st.integers(0, 11))
def test_spread_works_for_all_codes(values: list[int], spread: int, last: int) -> None:
    last %= len(values)
    context = PickContext(NOW, recent=[name(last)])
    for found, rules in (
        (candidates(len(values), artist=values), PickRules(artist_spread=spread)),
        (candidates(len(values), album=values), PickRules(album_spread=spread)),
    ):
        allowed = [code == 0 or code != values[last] for code in values]
        chances = probabilities(found, rules, context)
        assert ((chances > 0).tolist() == allowed) or not any(allowed)


def test_unknown_artists_are_not_the_same_artist() -> None:
    context = PickContext(NOW, recent=[name(0)])
    chances = probabilities(candidates(3, artist=0), PickRules(artist_spread=5), context)
    np.testing.assert_allclose(chances, 1 / 3)


@pytest.mark.parametrize("seed", range(10))
def test_spread_holds_among_picks(seed: int) -> None:
    found = candidates(12, artist=[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3], rating=[9] * 4 + [1] * 8)
    picks = choose(found, PickRules(artist_spread=2), ALONE, 9, rng(seed))
    rows = found.rows([each.track_id for each in picks]).tolist()
    artists = [artists_of(found, row) for row in rows]
    assert all(len(set.union(*artists[at : at + 3])) == 3 for at in range(len(artists) - 2))


def test_later_guards_are_relaxed_first() -> None:
    # Everything but row 2 is by the artist just heard, and row 2 is of the album just heard.
    found = candidates(3, artist=[1, 1, 2], album=[5, 6, 5])
    context = PickContext(NOW, recent=[name(0)])
    both = PickRules(artist_spread=1, album_spread=1)
    assert explained(found, both, context, 2).relaxed == ["album_spread"]
    assert probabilities(found, both, context).tolist() == [0, 0, 1]
    # When the artist cannot be spread either, the album still is.
    alike = replace(found, artists=credits_of([1, 1, 1]))
    assert explained(alike, both, context, 1).relaxed == ["artist_spread"]
    assert probabilities(alike, both, context).tolist() == [0, 1, 0]
