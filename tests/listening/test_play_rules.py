"""The table of play rules, row by row."""

from dataclasses import replace

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.listening.play_rules import Ending, Playthrough, judge
from anagnorisisd.listening.service import thresholds

LIMITS = thresholds(schema.Listening())

PLAY = Playthrough(
    uri="a.ogg",
    started_at=0.0,
    ended_at=300.0,
    heard_seconds=0.0,
    unobserved_seconds=0.0,
    duration_seconds=200.0,
    ending=Ending.LEFT,
)

ROWS = [
    # ending, seconds heard of 200, unseen, browsing, outcome, words of the reason
    (Ending.NATURAL, 200, 0, False, PlayOutcome.FULL, "nearly to the end"),
    (Ending.NATURAL, 3, 0, False, PlayOutcome.FULL, "by itself"),
    (Ending.NATURAL, 100, 100, False, PlayOutcome.FULL, "by itself"),
    (Ending.LEFT, 170, 0, False, PlayOutcome.FULL, "nearly to the end"),
    (Ending.STOPPED, 170, 0, False, PlayOutcome.FULL, "nearly to the end"),
    (Ending.DISCONNECTED, 170, 0, False, PlayOutcome.FULL, "nearly to the end"),
    (Ending.LEFT, 169, 0, False, PlayOutcome.NEITHER, "left late"),
    (Ending.LEFT, 100, 0, False, PlayOutcome.NEITHER, "left late"),
    (Ending.LEFT, 99, 0, False, PlayOutcome.SKIP, "left early"),
    (Ending.LEFT, 5, 0, False, PlayOutcome.SKIP, "left early"),
    (Ending.LEFT, 4.9, 0, False, PlayOutcome.NEITHER, "first seconds"),
    (Ending.LEFT, 0, 0, False, PlayOutcome.NEITHER, "first seconds"),
    (Ending.LEFT, 20, 0, True, PlayOutcome.NEITHER, "browsing"),
    (Ending.LEFT, 120, 0, True, PlayOutcome.NEITHER, "left late"),
    (Ending.LEFT, 20, 85, False, PlayOutcome.NEITHER, "left late"),
    (Ending.LEFT, 20, 160, False, PlayOutcome.NEITHER, "left late"),
    (Ending.STOPPED, 20, 0, False, PlayOutcome.NEITHER, "stopped"),
    (Ending.REMOVED, 20, 0, False, PlayOutcome.NEITHER, "removed"),
    (Ending.ERROR, 20, 0, False, PlayOutcome.NEITHER, "error"),
    (Ending.DISCONNECTED, 20, 0, False, PlayOutcome.NEITHER, "disconnected"),
]


@pytest.mark.parametrize(("ending", "heard", "unseen", "browsing", "word", "reason"), ROWS)
def test_rules(
    ending: Ending, heard: float, unseen: float, browsing: bool, word: PlayOutcome, reason: str
) -> None:
    play = replace(
        PLAY, ending=ending, heard_seconds=heard, unobserved_seconds=unseen, browsing=browsing
    )

    assert judge(play, LIMITS)[0] is word
    assert reason in judge(play, LIMITS)[1]


@pytest.mark.parametrize("ending", Ending)
def test_streams_are_never_skips(ending: Ending) -> None:
    play = replace(PLAY, ending=ending, heard_seconds=3600, duration_seconds=None)

    assert judge(play, LIMITS)[0] is not PlayOutcome.SKIP


def test_other_thresholds() -> None:
    strict = replace(LIMITS, full_play_fraction=1.0, skip_fraction=0.1, skip_after_seconds=30)

    assert judge(replace(PLAY, heard_seconds=190), strict)[0] is PlayOutcome.NEITHER
    assert judge(replace(PLAY, heard_seconds=25), strict)[0] is PlayOutcome.NEITHER
    assert judge(replace(PLAY, heard_seconds=25), LIMITS)[0] is PlayOutcome.SKIP


def test_a_very_short_track_left_at_once() -> None:
    short = replace(PLAY, duration_seconds=3.0, heard_seconds=1.0)

    assert judge(short, LIMITS)[0] is PlayOutcome.NEITHER
