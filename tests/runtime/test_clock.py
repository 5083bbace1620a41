"""Coalesced timers: periodic tasks wake up together, and not later than they would alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.clock import NOW_SECONDS, WAKE_INTERVAL_SECONDS, coalesced_wait

moments = st.floats(0, 1e8)
waits = st.floats(0.1, 86_400)


@given(moments, waits)
def test_wait_is_positive_and_not_longer_than_asked(now: float, at_most: float) -> None:
    assert 0 < coalesced_wait(now, at_most) <= at_most


@given(moments, st.floats(2 * WAKE_INTERVAL_SECONDS, 86_400))
def test_long_wait_ends_at_a_multiple_of_the_interval(now: float, at_most: float) -> None:
    woken = now + coalesced_wait(now, at_most)

    assert woken % WAKE_INTERVAL_SECONDS == pytest.approx(
        0, abs=1e-6
    ) or woken % WAKE_INTERVAL_SECONDS >= (WAKE_INTERVAL_SECONDS - NOW_SECONDS)


@pytest.mark.parametrize("late", [-1e-9, 0.0, 0.002, 0.5])
@pytest.mark.parametrize("every", [30.0, 60.0])
def test_next_wait_ends_at_a_multiple_of_the_interval_again(late: float, every: float) -> None:
    beat = 40 * WAKE_INTERVAL_SECONDS

    assert beat + late + coalesced_wait(beat + late, every) == pytest.approx(beat + every, abs=1e-6)
