"""`anagnorisis mood --until`: the next moment of a time of day, also when clocks change."""

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisis.commands.mood import next_time

ZONE = "Europe/Berlin"
YEAR_2026 = 1_767_222_000
DAY, HOUR = 86_400, 3_600


@pytest.fixture(scope="module", autouse=True)
def zone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", ZONE)
        time.tzset()
        yield
    time.tzset()


def local(*moment: int) -> float:
    return datetime(*moment, tzinfo=ZoneInfo(ZONE)).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (local(2026, 11, 28, 22, 59), local(2026, 11, 28, 23, 0)),
        (local(2026, 11, 28, 23, 0), local(2026, 11, 29, 23, 0)),
        (local(2026, 12, 31, 23, 30), local(2027, 1, 1, 23, 0)),
        (local(2026, 3, 28, 23, 30), local(2026, 3, 29, 23, 0)),  # 22.5 hours later
    ],
)
def test_the_next_23_o_clock(now: float, until: float) -> None:
    assert next_time("23:00", now) == until


@given(st.integers(0, 365 * DAY), st.integers(0, 23), st.integers(0, 59))
def test_it_comes_within_a_day_and_at_that_time(passed: int, hour: int, minute: int) -> None:
    now = float(YEAR_2026 + passed)

    until = next_time(f"{hour:02}:{minute:02}", now)

    assert now < until <= now + DAY + HOUR
    shown = datetime.fromtimestamp(until, ZoneInfo(ZONE))
    skipped = (shown.month, shown.day) == (3, 29) and hour == 2
    assert skipped or (shown.hour, shown.minute) == (hour, minute)
