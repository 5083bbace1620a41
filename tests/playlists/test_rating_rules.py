"""Names of rating playlists and what they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.playlists import rating_rules
from anagnorisisd.playlists.rating_rules import Clear, Rate, Undo


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("Rate 00", Rate(0.0)),
        ("Rate 08", Rate(8.0)),
        ("Rate 10", Rate(10.0)),
        ("Stars 01 10", Rate(10.0)),
        ("Rate: clear", Clear()),
        ("Rate: undo", Undo()),
    ],
)
def test_what_adding_a_song_does(name: str, action: rating_rules.Action) -> None:
    assert rating_rules.action(name) == action


@pytest.mark.parametrize("name", ["Rate", "Rate 11", "Rate 8", "My favourites", ""])
def test_other_names_are_no_rating_playlists(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a rating playlist"):
        rating_rules.action(name)


@given(st.text(min_size=1))
def test_names_with_any_prefix_sort_by_value_and_keep_their_meaning(prefix: str) -> None:
    names = rating_rules.names(prefix)

    assert names == sorted(set(names))
    assert [rating_rules.action(name) for name in names] == [
        *(Rate(float(value)) for value in range(11)),
        Clear(),
        Undo(),
    ]
