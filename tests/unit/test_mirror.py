"""Which of a rating and its sticker follows the other: the table, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.mirror import Move, Sides, move, rating_of, text_of


@pytest.mark.parametrize(
    ("sticker", "seen", "rating", "expected"),
    [
        # nothing anywhere; both the same; written by us or by another in its own way
        (None, None, None, Move.AGREE),
        ("8", "8", 8.0, Move.AGREE),
        ("8", None, 8.0, Move.AGREE),
        ("08", "5", 8.0, Move.AGREE),
        ("8", "8", 7.5, Move.AGREE),
        ("7.5", "7.5", 7.5, Move.AGREE),
        ("0", None, 0.0, Move.AGREE),
        (None, "8", None, Move.AGREE),
        # the sticker changed
        ("8", None, None, Move.RATE),
        ("8", "5", 5.0, Move.RATE),
        ("0", "5", 5.0, Move.RATE),
        ("8", "5", None, Move.RATE),
        (None, "5", 5.0, Move.CLEAR),
        # our rating changed
        (None, None, 5.0, Move.WRITE),
        ("8", "8", 5.0, Move.WRITE),
        ("8", "8", None, Move.DELETE),
        ("0", "0", None, Move.DELETE),
        # both changed
        ("8", "3", 5.0, Move.WRITE),
        ("8", None, 5.0, Move.WRITE),
        (None, "3", 5.0, Move.WRITE),
        # not a rating
        ("good", None, None, Move.IGNORE),
        ("good", "good", 5.0, Move.IGNORE),
        ("85", "5", 5.0, Move.IGNORE),
        (None, "good", 5.0, Move.WRITE),
        (None, "good", None, Move.AGREE),
    ],
)
def test_the_side_that_changed_is_followed(
    sticker: str | None, seen: str | None, rating: float | None, expected: Move
) -> None:
    assert move(Sides(sticker, seen, rating)) is expected


def test_a_rating_given_here_overwrites_what_is_no_rating() -> None:
    assert move(Sides("good", "good", 5.0, fresh=True)) is Move.WRITE
    assert move(Sides("good", "good", None, fresh=True)) is Move.IGNORE


def test_the_same_rating_given_again_outlives_the_sticker_that_was_taken_away() -> None:
    assert move(Sides(None, "5", 5.0)) is Move.CLEAR
    assert move(Sides(None, "5", 5.0, fresh=True)) is Move.WRITE


def test_the_same_rating_given_again_counts_as_much_as_another_one() -> None:
    assert move(Sides("8", "5", 5.0, fresh=True)) is Move.WRITE


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("8", 8.0),
        ("0", 0.0),
        ("10", 10.0),
        ("08", 8.0),
        (" 7.5 ", 7.5),
        ("-1", None),
        ("10.1", None),
        ("85", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("5/5", None),
        ("★★★", None),
    ],
)
def test_stickers_are_read_leniently(text: str, rating: float | None) -> None:
    assert rating_of(text) == rating


def test_stickers_hold_whole_numbers() -> None:
    assert [text_of(rating) for rating in (0, 0.4, 7.5, 7.49, 10)] == ["0", "0", "8", "7", "10"]


texts = st.one_of(st.none(), st.text(max_size=4), st.integers(-2, 12).map(str))


@given(texts, texts, st.one_of(st.none(), st.floats(0, 10)))
def test_following_once_is_enough(
    sticker: str | None, seen: str | None, rating: float | None
) -> None:
    """What is done leaves both sides agreeing, so that nothing echoes."""
    match move(Sides(sticker, seen, rating)):
        case Move.RATE:
            assert sticker is not None
            after = Sides(sticker, sticker, rating_of(sticker))
        case Move.CLEAR:
            after = Sides(None, None, None)
        case Move.WRITE:
            assert rating is not None
            after = Sides(text_of(rating), text_of(rating), rating)
        case Move.DELETE:
            after = Sides(None, None, rating)
        case Move.AGREE:
            after = Sides(sticker, sticker, rating)
        case Move.IGNORE:
            return
    assert move(after) is Move.AGREE
