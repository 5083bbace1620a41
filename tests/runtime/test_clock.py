"""Those who look now and then wake up together, and never later than they would alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.clock import NOW_SECONDS, WAKE_INTERVAL_SECONDS, coalesced_wait

moments = st.floats(0, 1e8)
waits = st.floats(0.1, 86_400)


@given(moments, waits)
def test_nobody_waits_longer_than_asked_or_not_at_all(now: float, at_most: float) -> None:
    assert 0 < coalesced_wait(now, at_most) <= at_most


@given(moments, st.floats(2 * WAKE_INTERVAL_SECONDS, 86_400))
def test_who_waits_long_enough_wakes_on_the_beat(now: float, at_most: float) -> None:
    woken = now + coalesced_wait(now, at_most)

    assert woken % WAKE_INTERVAL_SECONDS == pytest.approx(
        0, abs=1e-6
    ) or woken % WAKE_INTERVAL_SECONDS >= (WAKE_INTERVAL_SECONDS - NOW_SECONDS)


@pytest.mark.parametrize("late", [-1e-9, 0.0, 0.002, 0.5])
@pytest.mark.parametrize("every", [30.0, 60.0])
def test_who_was_woken_by_a_beat_waits_for_one_again(late: float, every: float) -> None:
    beat = 40 * WAKE_INTERVAL_SECONDS

    assert beat + late + coalesced_wait(beat + late, every) == pytest.approx(beat + every, abs=1e-6)
