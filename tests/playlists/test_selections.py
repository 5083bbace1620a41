"""Which tracks each published playlist holds, in which order."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.pick import Candidates
from anagnorisisd.playlists.selections import Selection, select
from tests.support.candidates import DAY, NEVER, NONE, NOW, candidates, name


def rows(
    text: str,
    table: Candidates,
    *,
    tagged: Iterable[int] = (),
    days: Mapping[int, float] | None = None,
) -> list[int]:
    """Return the rows of the tracks that a playlist holds; `days` are the ages of new ones."""
    added_at = {name(row): NOW - age * DAY for row, age in (days or {}).items()}
    found = select(
        Selection.parse(text), table, NOW, added_at=added_at, tagged=list(map(name, tagged))
    )
    return [int(track_id, 16) for track_id in found]


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("Favourites", Selection("Favourites", 50)),
        ("Favourites 100", Selection("Favourites", 100)),
        ("To rate 20", Selection("To rate", 20)),
        ("Tag 80s", Selection("Tag 80s", 50)),
        ("Tag 80s 30", Selection("Tag 80s", 30)),
    ],
)
def test_name_and_length(text: str, selection: Selection) -> None:
    assert Selection.parse(text) == selection


def test_favourites_are_the_best_rated_and_then_the_surely_predicted() -> None:
    table = candidates(
        7,
        rating=[8, 10, 7.5, NONE, NONE, NONE, 9],
        predicted=[9, 9, 9, 9.5, 8.5, 9.9, 9],
        stddev=[1, 1, 1, 1, 0.5, 4, 1],
        excluded=[False] * 6 + [True],
    )

    assert rows("Favourites", table) == [1, 0, 3, 4]
    assert rows("Favourites 3", table) == [1, 0, 3]


def test_promising_ones_were_never_heard() -> None:
    table = candidates(
        6,
        rating=[NONE, NONE, NONE, NONE, 8, NONE],
        predicted=[6, 8, 9, 9, 9, NONE],
        skips=[0, 0, 1, 0, 0, 0],
        last_played_at=[NEVER, NEVER, NEVER, NOW - DAY, NEVER, NEVER],
    )

    assert rows("Promising", table) == [1, 0]


def test_forgotten_ones_are_loved_and_were_not_played_for_long() -> None:
    table = candidates(
        7,
        rating=[9, 8, 8, 7, NONE, 8, 9],
        predicted=9,
        last_played_at=[
            NOW - 100 * DAY, NOW - 200 * DAY, NOW - 10 * DAY, NEVER, NEVER, NEVER, NEVER
        ],
    )  # fmt: skip

    assert rows("Forgotten", table) == [6, 5, 1, 0]


def test_new_ones_come_by_their_effective_rating() -> None:
    table = candidates(4, rating=[NONE, 9, NONE, 10], predicted=[6, NONE, NONE, NONE])

    assert rows("New", table, days={0: 1, 1: 29, 2: 2, 3: 31}) == [1, 0, 2]


def test_tagged_ones_come_by_their_effective_rating() -> None:
    table = candidates(3, rating=[4, NONE, 9], predicted=7)

    assert rows("Tag jazz", table, tagged=[0, 1, 77]) == [1, 0]


@given(
    st.sampled_from(["Favourites 5", "Promising 5", "Forgotten 5", "New 5", "Tag x 5"]),
    st.lists(st.tuples(*[st.sampled_from([NONE, 0.0, 7.0, 8.0, 10.0])] * 2, st.booleans())),
)
def test_no_playlist_is_too_long_or_has_an_excluded_track_or_one_twice(
    text: str, tracks: list[tuple[float, float, bool]]
) -> None:
    ratings, predicted, excluded = zip(*tracks, strict=True) if tracks else ((), (), ())
    table = candidates(
        len(tracks), rating=ratings, predicted=predicted, stddev=1.0, excluded=excluded
    )
    everything = range(len(tracks))

    found = rows(text, table, tagged=everything, days=dict.fromkeys(everything, 1.0))

    assert len(found) == len(set(found)) <= 5
    assert not any(excluded[row] for row in found)
