"""Which of a rating and its sticker follows the other: the tables, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.rating import SyncedSticker
from anagnorisisd.ratings.stickers.rules import (
    SyncAction,
    SyncState,
    like_action,
    may_be_removed,
    parse_rating,
    rating_action,
    sticker_text,
)


@pytest.mark.parametrize(
    ("sticker", "seen", "rating", "entry", "live", "expected"),
    [
        # Both say the same, whoever wrote it and in whatever way.
        (None, None, None, 0, False, SyncAction.AGREE),
        ("8", SyncedSticker("8", 1), 8.0, 1, False, SyncAction.AGREE),
        ("8", None, 8.0, 1, False, SyncAction.AGREE),
        ("08", SyncedSticker("5", 1), 8.0, 2, True, SyncAction.AGREE),
        ("8", SyncedSticker("8", 1), 7.5, 1, False, SyncAction.AGREE),
        ("7.5", SyncedSticker("7.5", 1), 7.5, 1, False, SyncAction.AGREE),
        ("0", None, 0.0, 1, False, SyncAction.AGREE),
        (None, SyncedSticker("8", 1), None, 2, True, SyncAction.AGREE),
        # No rating.
        ("good", SyncedSticker("good", 0), 5.0, 1, False, SyncAction.WRITE),
        ("good", SyncedSticker("5", 1), 6.0, 2, False, SyncAction.WRITE),
        ("good", None, None, 0, False, SyncAction.IGNORE),
        ("good", None, 5.0, 1, False, SyncAction.IGNORE),
        ("good", SyncedSticker("good", 1), 5.0, 1, False, SyncAction.IGNORE),
        ("85", SyncedSticker("5", 1), 5.0, 1, True, SyncAction.IGNORE),
        ("good", SyncedSticker("good", 1), None, 2, False, SyncAction.IGNORE),
        # Changed while the link was up.
        ("3", SyncedSticker("8", 1), 8.0, 1, True, SyncAction.RATE),
        ("3", SyncedSticker("5", 1), 8.0, 2, True, SyncAction.RATE),
        ("3", None, 8.0, 2, True, SyncAction.RATE),
        ("3", SyncedSticker("8", 1), None, 2, True, SyncAction.RATE),
        ("3", SyncedSticker(None, 0), None, 0, True, SyncAction.RATE),
        # Changed at another time, and our rating as it was, or never given.
        ("8", None, None, 0, False, SyncAction.RATE),
        ("8", SyncedSticker("5", 1), 5.0, 1, False, SyncAction.RATE),
        ("0", SyncedSticker("5", 1), 5.0, 1, False, SyncAction.RATE),
        ("8", SyncedSticker(None, 1), 5.0, 1, False, SyncAction.RATE),
        ("8", SyncedSticker(None, 2), None, 2, False, SyncAction.RATE),
        ("8", None, None, 2, False, SyncAction.RATE),
        ("8", SyncedSticker("5"), 5.0, 1, False, SyncAction.RATE),
        # Changed at another time, and our rating given or cleared.
        ("8", SyncedSticker("3", 1), 5.0, 2, False, SyncAction.WRITE),
        ("8", SyncedSticker("5", 1), 5.0, 2, False, SyncAction.WRITE),
        ("8", None, 5.0, 1, False, SyncAction.WRITE),
        ("8", SyncedSticker(None, 0), 5.0, 1, False, SyncAction.WRITE),
        ("8", SyncedSticker("3"), 5.0, 2, False, SyncAction.WRITE),
        ("8", SyncedSticker("5", 1), None, 2, False, SyncAction.DELETE),
        ("8", SyncedSticker(None, 0), None, 2, False, SyncAction.DELETE),
        # As it was.
        ("8", SyncedSticker("8", 1), 5.0, 2, False, SyncAction.WRITE),
        ("8", SyncedSticker("8"), 5.0, 2, False, SyncAction.WRITE),
        ("8", SyncedSticker("8", 1), None, 2, False, SyncAction.DELETE),
        ("0", SyncedSticker("0"), None, 2, False, SyncAction.DELETE),
        # As it was, and another track took the path.
        ("8", SyncedSticker("8", 1), None, 0, False, SyncAction.KEEP),
        ("8", SyncedSticker("8"), None, 0, False, SyncAction.KEEP),
        # Vanished.
        (None, SyncedSticker("5", 1), 5.0, 1, True, SyncAction.CLEAR),
        (None, SyncedSticker("3", 1), 5.0, 2, True, SyncAction.CLEAR),
        (None, SyncedSticker("5", 1), 5.0, 1, False, SyncAction.WRITE),
        (None, SyncedSticker("3", 1), 5.0, 2, False, SyncAction.WRITE),
        (None, SyncedSticker("good", 0), 5.0, 1, False, SyncAction.WRITE),
        (None, None, 5.0, 1, False, SyncAction.WRITE),
    ],
)
def test_rating_action(
    sticker: str | None,
    seen: SyncedSticker | None,
    rating: float | None,
    entry: int,
    live: bool,
    expected: SyncAction,
) -> None:
    assert rating_action(SyncState(sticker, seen, rating, entry, live)) is expected


@pytest.mark.parametrize(
    ("like", "seen", "rating", "entry", "live", "from_like", "expected"),
    [
        # While the link is up a like is the newest word.
        ("0", None, 9.0, 1, True, False, SyncAction.RATE),
        ("0", SyncedSticker("2", 1), 8.0, 1, True, True, SyncAction.RATE),
        ("2", SyncedSticker("2", 1), None, 2, True, False, SyncAction.RATE),
        (None, SyncedSticker("2", 1), 8.0, 1, True, True, SyncAction.CLEAR),
        ("1", SyncedSticker("2", 1), 8.0, 1, True, True, SyncAction.CLEAR),
        (None, SyncedSticker("2", 1), 9.0, 2, True, False, SyncAction.AGREE),
        ("1", SyncedSticker("2", 1), 9.0, 2, True, False, SyncAction.AGREE),
        (None, SyncedSticker("2", 1), None, 2, True, True, SyncAction.AGREE),
        ("7", SyncedSticker("2", 1), 8.0, 1, True, True, SyncAction.AGREE),
        # Found after a start.
        ("2", None, None, 0, False, False, SyncAction.RATE),
        ("2", None, None, 2, False, False, SyncAction.RATE),
        ("2", None, 5.0, 1, False, False, SyncAction.AGREE),
        ("0", SyncedSticker("2", 1), 8.0, 1, False, True, SyncAction.RATE),
        ("0", SyncedSticker("2", 1), 5.0, 2, False, False, SyncAction.AGREE),
        ("1", None, None, 0, False, False, SyncAction.AGREE),
        # Nothing new, or lost.
        ("2", SyncedSticker("2", 1), None, 2, False, False, SyncAction.KEEP),
        (None, SyncedSticker("2", 1), 8.0, 1, False, True, SyncAction.KEEP),
    ],
)
def test_like_action(
    like: str | None,
    seen: SyncedSticker | None,
    rating: float | None,
    entry: int,
    live: bool,
    from_like: bool,
    expected: SyncAction,
) -> None:
    assert like_action(SyncState(like, seen, rating, entry, live), from_like=from_like) is expected


@pytest.mark.parametrize(
    ("vanished", "known", "cleared"),
    [
        (0, 0, False),
        (1, 1, True),
        (1, 900, True),
        (2, 2, False),
        (5, 5, False),
        (5, 900, True),
        (6, 900, False),
        (900, 900, False),
    ],
)
def test_removal_by_the_listener_or_loss(vanished: int, known: int, cleared: bool) -> None:
    assert may_be_removed(vanished, known) is cleared


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
def test_parse_rating(text: str, rating: float | None) -> None:
    assert parse_rating(text) == rating


def test_sticker_text_is_a_whole_number() -> None:
    assert [sticker_text(rating) for rating in (0, 0.4, 7.5, 7.49, 10)] == [
        "0",
        "0",
        "8",
        "7",
        "10",
    ]


texts = st.one_of(st.none(), st.text(max_size=4), st.integers(-2, 12).map(str))
ratings = st.one_of(st.none(), st.floats(0, 10))
entries = st.integers(0, 3)
notes = st.one_of(st.none(), st.builds(SyncedSticker, texts, st.one_of(st.none(), entries)))


@st.composite
def sides(draw: st.DrawFn) -> SyncState:
    rating, entry = draw(ratings), draw(entries)
    return SyncState(
        draw(texts),
        draw(notes),
        rating,
        entry if rating is None else max(1, entry),
        draw(st.booleans()),
    )


@given(sides())
def test_after_the_action_both_are_equal(before: SyncState) -> None:
    """What is done leaves both sides agreeing, so that nothing echoes."""
    new = before.entry + 1
    match rating_action(before):
        case SyncAction.RATE:
            assert before.sticker is not None
            seen = SyncedSticker(before.sticker, new)
            after = SyncState(before.sticker, seen, parse_rating(before.sticker), new)
        case SyncAction.CLEAR:
            after = SyncState(None, SyncedSticker(None, new), None, new)
        case SyncAction.WRITE:
            assert before.rating is not None
            text = sticker_text(before.rating)
            after = SyncState(text, SyncedSticker(text, before.entry), before.rating, before.entry)
        case SyncAction.DELETE:
            after = SyncState(None, SyncedSticker(None, before.entry), None, before.entry)
        case SyncAction.AGREE:
            seen = SyncedSticker(before.sticker, before.entry)
            after = SyncState(before.sticker, seen, before.rating, before.entry)
        case SyncAction.IGNORE | SyncAction.KEEP:
            return
    assert rating_action(after) is SyncAction.AGREE


@given(sides())
def test_only_a_changed_sticker_changes_a_rating(before: SyncState) -> None:
    if rating_action(before) is SyncAction.RATE:
        assert before.newer or before.synced is None or before.sticker != before.synced.value
    if rating_action(before) is SyncAction.CLEAR:
        assert before.newer
        assert before.sticker is None


@given(sides())
def test_sticker_is_deleted_only_after_the_rating_was_cleared(before: SyncState) -> None:
    if rating_action(before) is SyncAction.DELETE:
        assert before.rating is None
        assert before.entry > 0
        assert before.synced is None or before.synced.entry != before.entry
