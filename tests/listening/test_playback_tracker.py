"""The playback tracker: how long a song was heard and how it ended, case by case.

Each test passes a sequence of player states and compares the playthroughs that it yields.
"""

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.listening.play_rules import Ending, Playthrough
from anagnorisisd.listening.playback_tracker import PlaybackTracker

DURATION = 200.0
IDS = frozenset(map(SongId, range(1, 10)))


def playing(at: float, song: int = 1, elapsed: float = 0.0, **more: Any) -> PlayerState:
    values: dict[str, Any] = {
        "taken_at": at,
        "playback_state": PlaybackState.PLAY,
        "song_id": SongId(song),
        "uri": Uri(f"{song}.ogg"),
        "position": song - 1,
        "elapsed_seconds": elapsed,
        "duration_seconds": DURATION,
        "queue_length": 9,
    }
    return PlayerState(**{**values, **more})


def paused(at: float, song: int = 1, elapsed: float = 0.0, **more: Any) -> PlayerState:
    return playing(at, song, elapsed, playback_state=PlaybackState.PAUSE, **more)


def stopped(at: float, song: int | None = None, **more: Any) -> PlayerState:
    return playing(
        at,
        playback_state=PlaybackState.STOP,
        song_id=None if song is None else SongId(song),
        uri=None if song is None else Uri(f"{song}.ogg"),
        elapsed_seconds=None,
        duration_seconds=None,
        **more,
    )


def tracked(
    *states: PlayerState, queue: Collection[SongId] = IDS, rate: float = 1.0
) -> list[Playthrough]:
    tracker = PlaybackTracker(rate)
    return [play for state in states if (play := tracker.observe(state, queue))]


def ending(*states: PlayerState, queue: Collection[SongId] = IDS) -> tuple[str, Ending, Any]:
    """Return song, ending and seconds heard of the only play that a story tells."""
    (play,) = tracked(*states, queue=queue)
    return play.uri, play.ending, pytest.approx(play.heard_seconds, abs=0.06)


def test_natural_end() -> None:
    assert ending(playing(0), playing(100, elapsed=100), playing(200.05, 2)) == (
        "1.ogg",
        Ending.NATURAL,
        200,
    )


def test_next_half_a_second_before_the_end() -> None:
    assert ending(playing(0), playing(199.5, 2))[1] is Ending.LEFT


def test_a_change_observed_late_is_dated_by_the_new_song() -> None:
    left = tracked(playing(0), playing(30, 2, elapsed=20))[0]
    ended = tracked(playing(0), playing(230, 2, elapsed=29.95))[0]

    assert (left.ending, left.heard_seconds, left.ended_at) == (Ending.LEFT, 10, 10)
    assert ended.ending is Ending.NATURAL
    assert ended.ended_at == pytest.approx(200, abs=0.1)


@pytest.mark.parametrize("song", [1, 3, 7])
def test_next_previous_and_jump(song: int) -> None:
    assert ending(playing(0, 2), playing(30, song))[1:] == (Ending.LEFT, 30)


def test_pause() -> None:
    story = (
        playing(0),
        paused(10, elapsed=10),
        paused(1810, elapsed=10),
        playing(3610, elapsed=10),
        playing(3620, 2),
    )
    assert ending(*story)[1:] == (Ending.LEFT, 20)


def test_pause_observed_late() -> None:
    assert ending(playing(0), paused(60, elapsed=10), playing(61, 2))[1:] == (Ending.LEFT, 10)


def test_seek_forward_is_not_heard() -> None:
    story = (playing(0), playing(10, elapsed=150), playing(60.05, 2))
    assert ending(*story)[1:] == (Ending.NATURAL, 60)


def test_seek_back_subtracts_nothing() -> None:
    story = (playing(0), playing(45, elapsed=45), playing(50, elapsed=20), playing(80, 2))
    assert ending(*story)[1:] == (Ending.LEFT, 80)


def heard(state: PlayerState, *, announced: bool) -> float:
    """Return how much was heard of a song begun at 0, seen then and in `state` only."""
    tracker = PlaybackTracker()
    tracker.observe(playing(0), IDS)
    tracker.observe(state, IDS, announced=announced)
    play = tracker.observe(stopped(state.taken_at, 1), IDS, announced=True)
    assert play is not None
    return play.heard_seconds


def test_seek_back_after_a_long_time() -> None:
    assert heard(playing(100, elapsed=50), announced=True) == 100


def test_stalled_playback_is_not_heard() -> None:
    assert heard(playing(100, elapsed=50), announced=False) == 50
    assert heard(paused(100, elapsed=50), announced=True) == 50


def test_seek_while_paused() -> None:
    story = (playing(0), paused(10, elapsed=10), paused(20, elapsed=150), playing(21, 2))
    assert ending(*story)[1:] == (Ending.LEFT, 10)


def test_seek_to_the_start() -> None:
    assert tracked(playing(0), playing(100, elapsed=0), playing(110, elapsed=10)) == []


def test_seek_past_the_end() -> None:
    assert ending(playing(0), playing(20, 2))[1] is Ending.LEFT


def test_repeated_song() -> None:
    story = [playing(200 * turn + step, elapsed=step) for turn in range(3) for step in (0.02, 100)]
    tracker = tracked(*story, stopped(500, 1))

    assert [play.ending for play in tracker] == [Ending.NATURAL, Ending.NATURAL, Ending.STOPPED]
    assert [round(play.heard_seconds) for play in tracker] == [200, 200, 100]


def test_stop() -> None:
    assert ending(playing(0), stopped(30, 1))[1:] == (Ending.STOPPED, 30)


def test_natural_end_before_a_song_that_cannot_be_opened() -> None:
    assert ending(playing(0), stopped(200.03, 1, error="no such file"))[1] is Ending.NATURAL


def test_natural_end_of_the_last_song() -> None:
    assert ending(playing(0), playing(190, elapsed=190), stopped(200.03))[1:] == (
        Ending.NATURAL,
        200,
    )


def test_next_at_the_last_song() -> None:
    assert ending(playing(0), stopped(30))[1:] == (Ending.LEFT, 30)


def test_single_mode() -> None:
    story = (playing(0), paused(200.05, 2, single=Mode.ON))
    assert ending(*story)[1:] == (Ending.NATURAL, 200)


def test_removed_from_the_queue() -> None:
    others = IDS - {SongId(1)}

    assert ending(playing(0), playing(30, 2), queue=others)[1] is Ending.REMOVED
    assert ending(playing(0), stopped(30, queue_length=0), queue=())[1] is Ending.REMOVED


@pytest.mark.parametrize("consume", [Mode.ON, Mode.ONESHOT])
def test_consume_mode(consume: Mode) -> None:
    before, others = playing(0, consume=consume), IDS - {SongId(1)}
    after = playing(30, 2, queue_length=8)
    cleared = stopped(30, queue_length=0)

    assert ending(before, after, queue=others)[1] is Ending.LEFT
    assert ending(before, replace(after, taken_at=200.0), queue=others)[1] is Ending.NATURAL
    assert ending(before, cleared, queue=())[1] is Ending.REMOVED


def test_playback_error() -> None:
    assert ending(playing(0), playing(30, 2, error="cannot decode"))[1] is Ending.ERROR
    old: dict[str, Any] = {"error": "something long ago"}
    assert ending(playing(0, **old), playing(30, 2, **old))[1] is Ending.LEFT


def test_crossfade() -> None:
    fade: dict[str, Any] = {"crossfade_seconds": 5.0}
    story = (
        playing(0, **fade),
        playing(200.02, 2, elapsed=0.0, **fade),
        playing(200.3, 2, elapsed=5.3, **fade),
        playing(395.05, 3, elapsed=0.0, **fade),
        playing(395.3, 3, elapsed=5.3, **fade),
    )
    assert [play.ending for play in tracked(*story)] == [Ending.NATURAL, Ending.NATURAL]
    late = (playing(0, **fade), playing(202, 2, elapsed=7.0, **fade))
    assert [play.ending for play in tracked(*late)] == [Ending.NATURAL]


def test_two_changes_at_once() -> None:
    tracker = tracked(playing(0), playing(200, 2), playing(200.003, 3))

    assert [(play.uri, play.ending) for play in tracker] == [
        ("1.ogg", Ending.NATURAL),
        ("2.ogg", Ending.LEFT),
    ]
    assert tracker[1].heard_seconds < 0.1


def test_repeated_states_change_nothing() -> None:
    story = [playing(0), playing(50, elapsed=50), playing(80, 2), stopped(90, 2)]
    doubled = [state for state in story for _ in range(3)]

    assert tracked(*doubled) == tracked(*story)


def test_the_latest_duration_is_used() -> None:
    story = (playing(0), playing(100, elapsed=100, duration_seconds=199.8), playing(199.85, 2))
    assert ending(*story)[1] is Ending.NATURAL


def test_stream() -> None:
    stream: dict[str, Any] = {"duration_seconds": None, "uri": Uri("http://radio/")}
    (play,) = tracked(playing(0, **stream), playing(7200, elapsed=7200, **stream), playing(7201, 2))

    assert (play.ending, play.duration_seconds, play.heard_seconds) == (Ending.LEFT, None, 7201)


def test_song_first_observed_in_its_middle() -> None:
    (play,) = tracked(playing(0, elapsed=120), playing(30, 2))

    assert (play.unobserved_seconds, play.heard_seconds) == (120, 30)


def test_faster_playback_rate() -> None:
    (play,) = tracked(playing(0), playing(5, elapsed=100), playing(10.01, 2), rate=20)

    assert play.ending is Ending.NATURAL
    assert play.heard_seconds == pytest.approx(200)


class TestABrokenLink:
    """What is believed about the time in which nothing could be seen."""

    def after(self, last: PlayerState, found: PlayerState) -> Playthrough | None:
        tracker = PlaybackTracker()
        tracker.observe(last, IDS)
        tracker.disconnected()
        return tracker.observe(found, IDS)

    def test_the_same_song_further_on(self) -> None:
        assert self.after(playing(0), playing(40, elapsed=40)) is None

    def test_the_same_song_with_another_id(self) -> None:
        assert self.after(playing(0, 4), playing(40, 2, 9.5, uri=Uri("4.ogg"))) is None

    def test_another_song_at_the_expected_time(self) -> None:
        play = self.after(playing(0), playing(230, 2, elapsed=30))
        assert play is not None
        assert play.ending is Ending.NATURAL

    @pytest.mark.parametrize(
        "found", [playing(40, 2), stopped(40), stopped(40, 1), playing(900, 2, elapsed=30)]
    )
    def test_anything_else_is_disconnected(self, found: PlayerState) -> None:
        play = self.after(playing(0), found)
        assert play is not None
        assert (play.ending, play.heard_seconds, play.ended_at) == (Ending.DISCONNECTED, 0, 0)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[PlayerState, frozenset[SongId]]]:
    """Random states in order of time, as no sane player would show them."""
    now, states = 0.0, []
    for _ in range(draw(st.integers(1, 30))):
        now += draw(st.sampled_from([0.0, 0.003, 0.1, 1.0, 10.0, 199.9, 500.0]))
        song = draw(st.integers(1, 4))
        duration = draw(st.sampled_from([None, 0.2, 3.0, 200.0]))
        state = playing(
            now,
            song,
            elapsed=draw(st.floats(0, 250)),
            playback_state=draw(
                st.sampled_from([PlaybackState.PLAY, PlaybackState.PLAY, PlaybackState.PAUSE])
            ),
            duration_seconds=duration,
            consume=draw(st.sampled_from(Mode)),
            crossfade_seconds=draw(st.sampled_from([0.0, 5.0])),
            queue_length=draw(st.integers(0, 9)),
            error=draw(st.sampled_from([None, "broken"])),
        )
        if draw(st.integers(0, 5)) == 0:
            state = stopped(now, draw(st.sampled_from([None, song])))
        states.append((state, draw(st.sampled_from([IDS, frozenset[SongId]()]))))
    return states


@pytest.mark.slow
@given(stories(), st.sets(st.integers(0, 30)), st.sampled_from([1.0, 20.0]))
@settings(max_examples=150, deadline=None)
def test_playthroughs_are_in_order_and_heard_at_most_as_long_as_they_lasted(
    story: list[tuple[PlayerState, frozenset[SongId]]], losses: set[int], rate: float
) -> None:
    tracker, playthroughs = PlaybackTracker(rate), []
    for index, (state, queue) in enumerate(story):
        if index in losses:
            tracker.disconnected()
        play = tracker.observe(state, queue)
        again = tracker.observe(state, queue)
        assert again is None
        if play:
            playthroughs.append(play)
    for play in playthroughs:
        assert play.ended_at >= play.started_at
        assert 0 <= play.heard_seconds <= (play.ended_at - play.started_at) * rate + 1e-6
        assert play.unobserved_seconds >= 0
    for earlier, later in pairwise(playthroughs):
        assert later.started_at >= earlier.ended_at - 1e-6


# What a busy computer does to a reading: MPD answers at once, and the answer is stamped later.


def late(state: PlayerState, seconds: float) -> PlayerState:
    """Return a state whose answer was stamped `seconds` after the moment that it tells of."""
    return replace(state, taken_at=state.taken_at + seconds, span_seconds=seconds)


@pytest.mark.parametrize(
    ("left_at", "delay", "expected"),
    [
        (200.05, 0.0, Ending.NATURAL),
        (200.05, 0.3, Ending.NATURAL),
        (200.05, 3.0, Ending.NATURAL),
        (199.5, 0.1, Ending.LEFT),
        (190.0, 3.0, Ending.LEFT),
        (190.0, 30.0, Ending.LEFT),
    ],
)
def test_late_time_stamp(left_at: float, delay: float, expected: Ending) -> None:
    # `left_at` lies behind the last late stamp, so that it is only the stamp that errs.
    story = (late(playing(100, elapsed=100), delay), playing(left_at, 2))

    assert ending(*story)[1] is expected


def test_late_time_stamp_is_no_seek_back() -> None:
    tracker = PlaybackTracker()
    tracker.observe(playing(0), IDS)
    tracker.observe(late(playing(100, elapsed=100), 2.5), IDS, announced=True)
    play = tracker.observe(stopped(102.5, 1), IDS, announced=True)

    assert play is not None
    assert play.heard_seconds == 100


delays = st.floats(0, 3)


@given(seen_at=st.floats(0, 199), noticed=st.floats(0, 150), delay=delays, last_delay=delays)
def test_natural_ends_with_late_time_stamps(
    seen_at: float, noticed: float, delay: float, last_delay: float
) -> None:
    before = late(playing(seen_at, elapsed=seen_at), last_delay)
    after = late(playing(DURATION + noticed, 2, elapsed=noticed), delay)

    for play in tracked(before, after):
        assert play.ending is Ending.NATURAL
        assert 0 <= play.heard_seconds <= DURATION


@given(left_at=st.floats(5, 190), noticed=st.floats(0, 150), delay=delays, last_delay=delays)
def test_skips_with_late_time_stamps(
    left_at: float, noticed: float, delay: float, last_delay: float
) -> None:
    before = late(playing(left_at - 5, elapsed=left_at - 5), last_delay)
    after = late(playing(left_at + noticed, 2, elapsed=noticed), delay)

    (play,) = tracked(before, after)

    assert play.ending is Ending.LEFT
    assert play.heard_seconds <= 5.001 + delay
