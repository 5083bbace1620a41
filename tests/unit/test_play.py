"""The table of verdicts, row by row."""

from dataclasses import replace

import pytest

from anagnorisisd.domain.play import Ending, Stay, Thresholds, Verdict, verdict

STAY = Stay(
    uri="a.ogg",
    started_at=0.0,
    ended_at=300.0,
    heard_seconds=0.0,
    unseen_seconds=0.0,
    duration_seconds=200.0,
    ending=Ending.LEFT,
)

ROWS = [
    # ending, seconds heard of 200, unseen, browsing, verdict, words of the reason
    (Ending.NATURAL, 200, 0, False, Verdict.FULL, "nearly to the end"),
    (Ending.NATURAL, 3, 0, False, Verdict.FULL, "by itself"),
    (Ending.NATURAL, 100, 100, False, Verdict.FULL, "by itself"),
    (Ending.LEFT, 170, 0, False, Verdict.FULL, "nearly to the end"),
    (Ending.STOPPED, 170, 0, False, Verdict.FULL, "nearly to the end"),
    (Ending.AWAY, 170, 0, False, Verdict.FULL, "nearly to the end"),
    (Ending.LEFT, 169, 0, False, Verdict.NEITHER, "much of it"),
    (Ending.LEFT, 100, 0, False, Verdict.NEITHER, "much of it"),
    (Ending.LEFT, 99, 0, False, Verdict.SKIP, "left early"),
    (Ending.LEFT, 5, 0, False, Verdict.SKIP, "left early"),
    (Ending.LEFT, 4.9, 0, False, Verdict.NEITHER, "too soon"),
    (Ending.LEFT, 0, 0, False, Verdict.NEITHER, "too soon"),
    (Ending.LEFT, 20, 0, True, Verdict.NEITHER, "browsing"),
    (Ending.LEFT, 120, 0, True, Verdict.NEITHER, "much of it"),
    (Ending.LEFT, 20, 85, False, Verdict.NEITHER, "much of it"),
    (Ending.LEFT, 20, 160, False, Verdict.NEITHER, "much of it"),
    (Ending.STOPPED, 20, 0, False, Verdict.NEITHER, "stopped"),
    (Ending.REMOVED, 20, 0, False, Verdict.NEITHER, "removed"),
    (Ending.BROKEN, 20, 0, False, Verdict.NEITHER, "played on"),
    (Ending.AWAY, 20, 0, False, Verdict.NEITHER, "went away"),
]


@pytest.mark.parametrize(("ending", "heard", "unseen", "browsing", "word", "reason"), ROWS)
def test_a_stay_is_judged_by_the_table(
    ending: Ending, heard: float, unseen: float, browsing: bool, word: Verdict, reason: str
) -> None:
    stay = replace(
        STAY, ending=ending, heard_seconds=heard, unseen_seconds=unseen, browsing=browsing
    )

    assert verdict(stay, Thresholds())[0] is word
    assert reason in verdict(stay, Thresholds())[1]


@pytest.mark.parametrize("ending", Ending)
def test_a_stream_is_never_a_skip(ending: Ending) -> None:
    stay = replace(STAY, ending=ending, heard_seconds=3600, duration_seconds=None)

    assert verdict(stay, Thresholds())[0] is not Verdict.SKIP


def test_thresholds_are_the_listeners() -> None:
    strict = Thresholds(full_play_fraction=1.0, skip_fraction=0.1, skip_after_seconds=30)

    assert verdict(replace(STAY, heard_seconds=190), strict)[0] is Verdict.NEITHER
    assert verdict(replace(STAY, heard_seconds=25), strict)[0] is Verdict.NEITHER
    assert verdict(replace(STAY, heard_seconds=25), Thresholds())[0] is Verdict.SKIP


def test_a_very_short_track_left_at_once_says_nothing() -> None:
    short = replace(STAY, duration_seconds=3.0, heard_seconds=1.0)

    assert verdict(short, Thresholds())[0] is Verdict.NEITHER
