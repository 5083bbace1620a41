"""When a track that took another one's place is the same piece: the table, row by row."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.track import Tags
from anagnorisisd.storage.replacement_rules import Recording, same_piece

SONG = Tags(title="Jóga", artist="Björk", album="Homogenic")
UNTAGGED = Tags()


@pytest.mark.parametrize(
    ("before", "now", "known", "same"),
    [
        (Recording(SONG, None), Recording(SONG, 300.0), False, False),
        (Recording(SONG, 300.0), Recording(SONG, None), False, False),
        (Recording(SONG, 300.0), Recording(SONG, 302.1), False, False),
        (Recording(SONG, 300.0), Recording(Tags("Jóga (live)", "Björk"), 300.0), False, False),
        (Recording(SONG, 300.0), Recording(Tags("Jóga", "Cover Band"), 300.0), False, False),
        (Recording(SONG, 300.0), Recording(Tags("Jóga", "Björk", "Best of"), 302.0), False, True),
        (Recording(SONG, 300.0), Recording(SONG, 299.0), True, True),
        (Recording(SONG, 300.0), Recording(UNTAGGED, 300.5), False, True),
        (Recording(UNTAGGED, 300.0), Recording(UNTAGGED, 300.0), False, True),
        (Recording(Tags("Jóga"), 300.0), Recording(SONG, 300.0), False, True),
        (Recording(UNTAGGED, 300.0), Recording(UNTAGGED, 300.0), True, False),
        (Recording(SONG, 300.0), Recording(UNTAGGED, 300.0), True, False),
    ],
)
def test_the_table(before: Recording, now: Recording, known: bool, same: bool) -> None:
    assert same_piece(before, now, known=known) is same


NAMES = st.none() | st.text(max_size=4)
RECORDINGS = st.builds(
    Recording,
    st.builds(Tags, title=NAMES, artist=NAMES, album=NAMES),
    st.none() | st.floats(0, 1e6),
)


@given(RECORDINGS, RECORDINGS, st.booleans())
def test_same_piece_is_symmetric(one: Recording, other: Recording, known: bool) -> None:
    assert same_piece(one, other, known=known) == same_piece(other, one, known=known)


@given(RECORDINGS)
def test_a_new_track_that_looks_the_same_is_the_same(one: Recording) -> None:
    assert same_piece(one, one, known=False) is (one.duration_seconds is not None)


@given(RECORDINGS, st.sampled_from(["NFC", "NFD"]))
def test_names_are_compared_whatever_their_form_and_case(one: Recording, form: str) -> None:
    def other(text: str | None) -> str | None:
        return text and unicodedata.normalize(form, f" {text.upper().lower()} ")  # type: ignore[arg-type]

    tags = Tags("Straße á", "Björk")
    turned = Tags(other(tags.title), other(tags.artist))
    assert same_piece(Recording(tags, 300.0), Recording(turned, 300.0), known=True) is True
