"""Bursts of skips: only the last one may count."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.config import schema
from anagnorisisd.listening.play_rules import Ending, Playthrough, SkipBurst
from anagnorisisd.listening.service import thresholds
from tests.listening.test_play_rules import PLAY

LIMITS = thresholds(schema.Listening(browsing_skips=3, browsing_seconds=20.0))


def left(at: float) -> Playthrough:
    return replace(PLAY, ended_at=at, ending=Ending.LEFT)


def marks(times: list[float]) -> list[bool]:
    """Return which of the songs left at `times` were browsed."""
    burst = SkipBurst(LIMITS)
    known = [play for at in times for play in burst.add(left(at))]
    known += burst.release_all()
    assert [play.ended_at for play in known] == times
    return [play.browsing for play in known]


def test_one_or_two_skips() -> None:
    assert marks([0]) == [False]
    assert marks([0, 1]) == [False, False]


def test_three_skips() -> None:
    assert marks([0, 8, 16]) == [True, True, False]


def test_a_long_burst() -> None:
    assert marks([0, 8, 16, 24, 32]) == [True, True, True, True, False]


def test_slow_skips() -> None:
    assert marks([0, 15, 30, 45]) == [False] * 4


def test_a_burst_after_a_single_skip() -> None:
    assert marks([0, 100, 105, 110, 200]) == [False, True, True, False, False]


def test_a_skip_is_held_back_for_the_window() -> None:
    burst = SkipBurst(LIMITS)

    assert burst.add(left(100)) == []
    assert burst.release(119) == []
    assert burst.release(121) == [left(100)]
    assert burst.release_all() == []


def test_another_ending_ends_the_burst() -> None:
    burst = SkipBurst(LIMITS)
    full = replace(PLAY, ending=Ending.NATURAL, ended_at=12.0)
    for at in (0, 5):
        burst.add(left(at))

    assert burst.add(full) == [left(0), left(5), full]
    assert burst.add(left(13)) == []
    assert burst.release_all() == [left(13)]


@given(st.lists(st.floats(0, 30), max_size=12))
def test_releasing_early_changes_nothing(gaps: list[float]) -> None:
    times, now = [], 0.0
    for gap in gaps:
        now += gap
        times.append(now)
    burst = SkipBurst(LIMITS)
    known = []
    for at in times:
        known += burst.release(at)
        known += burst.release(at)
        known += burst.add(left(at))
    known += burst.release_all()

    assert [play.browsing for play in known] == marks(times)


@given(st.lists(st.floats(0, 30), max_size=12))
def test_browsed_songs_match_the_definition(gaps: list[float]) -> None:
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]

    def browsed(index: int) -> bool:
        windows = [
            range(first, first + 3)
            for first in range(len(times) - 2)
            if times[first + 2] - times[first] <= LIMITS.browsing_seconds
        ]
        return any(index in window and index != window[-1] for window in windows)

    assert marks(times) == [browsed(index) for index in range(len(times))]
