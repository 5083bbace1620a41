"""Extrapolation of measured costs, and the simulation of many listeners."""

import pytest

from bench.scaling import plan
from bench.scaling.costs import Costs
from bench.scaling.multi_user import Machine, largest, simulate

pytestmark = pytest.mark.slow


def costs(tracks: int, seconds: float) -> Costs:
    return Costs(tracks, *[seconds] * 8)


def test_a_linear_fit_extrapolates_costs_and_limits() -> None:
    measured = [costs(1000, 3.0), costs(2000, 5.0), costs(3000, 7.0)]

    line = plan.line(measured, lambda one: one.pick_seconds)

    assert line.at(10_000) == pytest.approx(21.0)
    assert line.reaches(21.0) == pytest.approx(10_000)


def test_a_fit_has_no_negative_intercept_or_slope() -> None:
    line = plan.line([costs(1000, 1.0), costs(2000, 3.0)], lambda one: one.pick_seconds)

    assert line.at(0) == 0.0
    assert line.each > 0

    falling = plan.line([costs(1000, 3.0), costs(2000, 1.0)], lambda one: one.pick_seconds)

    assert (falling.fixed, falling.each) == (2.0, 0.0)


def test_costs_are_ordered_by_their_limits() -> None:
    needs = plan.needs([costs(1000, 1.0), costs(2000, 2.0)], embed_seconds=0.1)

    reaches = [need.line.reaches(need.limit) for need in needs]
    assert reaches == sorted(reaches)
    assert needs[0].what == "draw three picks"


def test_a_single_listener_never_waits() -> None:
    waiting = simulate(Machine(cores=2, refill_seconds=0.5, rating_seconds=2.0), listeners=1)

    assert waiting.refill_seconds == pytest.approx(0.5)
    assert waiting.rating_seconds == pytest.approx(2.0)


def test_waiting_times_grow_under_overload() -> None:
    machine = Machine(cores=2, refill_seconds=0.5, rating_seconds=2.0)

    crowded = simulate(machine, listeners=800)

    assert crowded.load > 1
    assert crowded.refill_seconds > 100


def test_the_number_of_listeners_grows_with_the_cores() -> None:
    small, large = (
        largest(Machine(cores, 0.5, 2.0), refill_seconds=10, rating_seconds=60) for cores in (2, 16)
    )

    # A listener takes (0.5 + 2.0 / 10) seconds of a core every 210 seconds.
    assert 0.7 * 600 < small < 600
    assert 0.9 * 4800 < large < 4800
