"""What the bench makes of measured costs: straight lines, and a crowd that waits in line."""

import pytest

from bench.scaling import plan
from bench.scaling.costs import Costs
from bench.scaling.multi_user import Machine, evening, largest

pytestmark = pytest.mark.slow


def costs(tracks: int, seconds: float) -> Costs:
    return Costs(tracks, *[seconds] * 8)


def test_a_line_goes_through_what_was_measured_and_says_where_the_limit_is() -> None:
    measured = [costs(1000, 3.0), costs(2000, 5.0), costs(3000, 7.0)]

    line = plan.line(measured, lambda one: one.pick_seconds)

    assert line.at(10_000) == pytest.approx(21.0)
    assert line.reaches(21.0) == pytest.approx(10_000)


def test_noise_never_makes_the_empty_library_cost_less_than_nothing() -> None:
    line = plan.line([costs(1000, 1.0), costs(2000, 3.0)], lambda one: one.pick_seconds)

    assert line.at(0) == 0.0
    assert line.each > 0

    falling = plan.line([costs(1000, 3.0), costs(2000, 1.0)], lambda one: one.pick_seconds)

    assert (falling.fixed, falling.each) == (2.0, 0.0)


def test_what_breaks_first_comes_first() -> None:
    needs = plan.needs([costs(1000, 1.0), costs(2000, 2.0)], embed_seconds=0.1)

    reaches = [need.line.reaches(need.limit) for need in needs]
    assert reaches == sorted(reaches)
    assert needs[0].what == "draw three picks"


def test_a_lone_listener_never_waits_in_line() -> None:
    waiting = evening(Machine(cores=2, refill_seconds=0.5, rating_seconds=2.0), listeners=1)

    assert waiting.refill_seconds == pytest.approx(0.5)
    assert waiting.rating_seconds == pytest.approx(2.0)


def test_a_crowd_that_asks_for_more_than_there_is_waits_for_ever_longer() -> None:
    machine = Machine(cores=2, refill_seconds=0.5, rating_seconds=2.0)

    crowded = evening(machine, listeners=800)

    assert crowded.load > 1
    assert crowded.refill_seconds > 100


def test_the_largest_crowd_grows_with_the_cores_and_nearly_fills_them() -> None:
    small, large = (
        largest(Machine(cores, 0.5, 2.0), refill_seconds=10, rating_seconds=60) for cores in (2, 16)
    )

    # A listener takes (0.5 + 2.0 / 10) seconds of a core every 210 seconds.
    assert 0.7 * 600 < small < 600
    assert 0.9 * 4800 < large < 4800
