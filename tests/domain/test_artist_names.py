"""Splitting artist and genre tags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain import artist_names
from anagnorisisd.domain.artist_names import ArtistCredits

JOINERS = ["; ", ";", " / ", " feat. ", " Ft. ", " feat ", " featuring ", " vs. ", " VS "]
ENSEMBLES = [" & ", ", ", " and ", ", and ", " And "]


def found(tag: str, *others: str) -> set[str]:
    """Return the artists of a tag in a library that has others, too."""
    return set(artist_names.artists([tag, *others])[0])


@pytest.mark.parametrize("joiner", JOINERS)
def test_separators_of_artists(joiner: str) -> None:
    assert found(f"Alpha{joiner}Beta") == {"alpha", "beta"}


@pytest.mark.parametrize("joiner", ENSEMBLES)
def test_ambiguous_separators(joiner: str) -> None:
    assert found(f"Alpha{joiner}Beta", "ALPHA", "beta feat. Gamma") == {"alpha", "beta"}
    assert len(found(f"Alpha{joiner}Beta", "Alpha")) == 1


@pytest.mark.parametrize(
    ("tag", "others", "expected"),
    [
        ("Alpha (feat. Beta)", [], {"alpha", "beta"}),
        ("Alpha [ft. Beta (Live)]", [], {"alpha", "beta (live)"}),
        ("Alpha\t feat.  Beta ", [], {"alpha", "beta"}),
        ("Alpha feat. Beta & Gamma", ["Beta", "Gamma"], {"alpha", "beta", "gamma"}),
        ("Alpha, Beta & Gamma", ["Alpha", "Beta", "Gamma"], {"alpha", "beta", "gamma"}),
        ("Alpha, Beta & Gamma", ["Alpha", "Beta & Gamma"], {"alpha", "beta & gamma"}),
        ("Earth, Wind & Fire", ["Earth", "Fire"], {"earth, wind & fire"}),
        (
            "Earth, Wind & Fire & The Emotions",
            ["Earth, Wind & Fire", "The Emotions"],
            {"earth, wind & fire", "the emotions"},
        ),
        ("10,000 Maniacs", [], {"10,000 maniacs"}),
        ("AC/DC", ["AC", "DC"], {"ac/dc"}),
        ("Little Feat", [], {"little feat"}),
        ("Florence + The Machine", [], {"florence + the machine"}),
        ("Beyonce\u0301", ["Beyonc\u00e9"], {"beyonc\u00e9"}),
        (" ; ", [], set()),
        ("", [], set()),
        (", ".join(f"a{number}" for number in range(200)), [f"a{n}" for n in range(200)], None),
    ],
)
def test_artists_of_a_tag(tag: str, others: list[str], expected: set[str] | None) -> None:
    assert found(tag, *others) == (
        expected or ({artist_names.key(tag)} if expected is None else set())
    )


@pytest.mark.parametrize(
    "tag", ["Christmas", "christmas/Pop", "Pop, Christmas", "Pop;CHRISTMAS", "Folk | Christmas"]
)
def test_genre_in_a_list(tag: str) -> None:
    assert "christmas" in artist_names.genres(tag)


@pytest.mark.parametrize("tag", ["Post-Christmas", "Christmas Pop", "R&B", "", "/"])
def test_genre_in_a_longer_name(tag: str) -> None:
    assert "christmas" not in artist_names.genres(tag)


def test_genre_with_a_slash() -> None:
    assert artist_names.key("Rock/Pop") in artist_names.genres("rock/pop")


letters = st.text(max_size=12) | st.sampled_from(["Alpha", "Beta", "Gamma"])
tags = st.lists(
    st.builds("".join, st.lists(letters | st.sampled_from([*JOINERS, *ENSEMBLES]), max_size=6)),
    max_size=8,
)


@given(tags)
def test_artists_are_part_of_their_tag(tags: list[str]) -> None:
    read = artist_names.artists(tags)
    assert len(read) == len(tags)
    for tag, artists in zip(tags, read, strict=True):
        assert all(artist and artist in artist_names.key(tag) for artist in artists)
        assert artists or not set(artist_names.key(tag)) - set("featuring vs.;/()[]")


@given(tags, st.data())
def test_tracks_sharing_an_artist(tags: list[str], data: st.DataObject) -> None:
    listed = [None, *dict.fromkeys(tags)]
    of_track = data.draw(st.lists(st.integers(0, len(listed) - 1), min_size=1, max_size=12))
    near = data.draw(st.lists(st.integers(0, len(of_track) - 1), max_size=3))
    read = [frozenset[str](), *artist_names.artists([tag for tag in listed if tag is not None])]
    wanted = {artist for row in near for artist in read[of_track[row]]}

    shared = ArtistCredits.read(np.array(of_track, np.int32), listed).sharing(
        np.array(near, np.int64)
    )

    assert shared.tolist() == [bool(wanted & read[place]) for place in of_track]
