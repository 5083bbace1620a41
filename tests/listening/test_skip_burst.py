"""Bursts of songs left: only the last one may count."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.config import schema
from anagnorisisd.listening.play_rules import Ending, Playthrough
from anagnorisisd.listening.service import thresholds
from anagnorisisd.listening.skip_burst import SkipBurst
from tests.listening.test_play_rules import PLAY

LIMITS = thresholds(schema.Listening(browsing_skips=3, browsing_seconds=20.0))


def left(at: float) -> Playthrough:
    return replace(PLAY, ended_at=at, ending=Ending.LEFT)


def marks(times: list[float]) -> list[bool]:
    """Return which of the songs left at `times` were browsed."""
    browsing = SkipBurst(LIMITS)
    settled = [stay for at in times for stay in browsing.add(left(at))]
    settled += browsing.release_all()
    assert [stay.ended_at for stay in settled] == times
    return [stay.browsing for stay in settled]


def test_one_or_two_songs_left_are_no_burst() -> None:
    assert marks([0]) == [False]
    assert marks([0, 1]) == [False, False]


def test_of_three_in_a_row_only_the_last_may_count() -> None:
    assert marks([0, 8, 16]) == [True, True, False]


def test_a_burst_goes_on_as_long_as_three_fit_into_the_window() -> None:
    assert marks([0, 8, 16, 24, 32]) == [True, True, True, True, False]


def test_songs_left_slowly_are_no_burst() -> None:
    assert marks([0, 15, 30, 45]) == [False] * 4


def test_a_burst_after_a_pause_leaves_what_came_before_alone() -> None:
    assert marks([0, 100, 105, 110, 200]) == [False, True, True, False, False]


def test_a_song_left_is_held_back_until_nothing_can_join_it() -> None:
    browsing = SkipBurst(LIMITS)

    assert browsing.add(left(100)) == []
    assert browsing.release(119) == []
    assert browsing.release(121) == [left(100)]
    assert browsing.release_all() == []


def test_anything_else_that_ends_settles_a_row() -> None:
    browsing = SkipBurst(LIMITS)
    full = replace(PLAY, ending=Ending.NATURAL, ended_at=12.0)
    for at in (0, 5):
        browsing.add(left(at))

    assert browsing.add(full) == [left(0), left(5), full]
    assert browsing.add(left(13)) == []
    assert browsing.release_all() == [left(13)]


@given(st.lists(st.floats(0, 30), max_size=12))
def test_looking_now_and_then_changes_nothing(gaps: list[float]) -> None:
    times, now = [], 0.0
    for gap in gaps:
        now += gap
        times.append(now)
    browsing = SkipBurst(LIMITS)
    settled = []
    for at in times:
        settled += browsing.release(at)
        settled += browsing.release(at)
        settled += browsing.add(left(at))
    settled += browsing.release_all()

    assert [stay.browsing for stay in settled] == marks(times)


@given(st.lists(st.floats(0, 30), max_size=12))
def test_a_song_is_browsed_exactly_when_a_window_of_three_says_so(gaps: list[float]) -> None:
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]

    def browsed(index: int) -> bool:
        windows = [
            range(first, first + 3)
            for first in range(len(times) - 2)
            if times[first + 2] - times[first] <= LIMITS.browsing_seconds
        ]
        return any(index in window and index != window[-1] for window in windows)

    assert marks(times) == [browsed(index) for index in range(len(times))]
