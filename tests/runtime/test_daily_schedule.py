"""The nightly time: one on each date, also when clocks are changed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.runtime import daily_schedule

ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",  # changes by half an hour
            "Pacific/Apia",  # had no 30 December 2011
            "Africa/Casablanca",  # daylight saving pauses for Ramadan
        )
    ]
)
NOWS = st.floats(min_value=0, max_value=4e9)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(NOWS, TIMES, ZONES)
def test_now_is_between_last_and_next_due_time(now: float, at: time, zone: ZoneInfo) -> None:
    last, following = daily_schedule.last_due(now, at, zone), daily_schedule.next_due(now, at, zone)

    assert last <= now < following
    assert following - last <= timedelta(hours=49).total_seconds()
    assert daily_schedule.last_due(following, at, zone) == following
    assert daily_schedule.next_due(last, at, zone) == following


@given(st.integers(min_value=1990, max_value=2040), TIMES, ZONES)
def test_each_date_has_one_due_time(year: int, at: time, zone: ZoneInfo) -> None:
    start = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    end = datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()

    moments = [daily_schedule.next_due(start, at, zone)]
    while moments[-1] < end:
        moments.append(daily_schedule.next_due(moments[-1], at, zone))

    days = round((end - start) / 86400)
    assert abs(len(moments) - 1 - days) <= 1


@given(NOWS, TIMES, ZONES, st.integers(min_value=1, max_value=10_000))
def test_retry_delays_grow_up_to_the_next_night(
    failed_at: float, at: time, zone: ZoneInfo, failures: int
) -> None:
    due = daily_schedule.next_try(failures, failed_at, at, zone)

    assert failed_at < due <= daily_schedule.next_due(failed_at, at, zone)
    assert due <= daily_schedule.next_try(failures + 1, failed_at, at, zone)


@pytest.mark.parametrize(("failures", "minutes"), [(1, 10), (2, 20), (3, 40), (7, 640), (8, 720)])
def test_retry_delays_double(failures: int, minutes: int) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()

    assert daily_schedule.next_try(failures, noon, time(0), UTC) == noon + minutes * 60


@given(NOWS, TIMES, ZONES, st.lists(st.floats(min_value=1, max_value=5e5), min_size=1, max_size=60))
def test_checks_at_any_times_train_once_per_night(
    now: float, at: time, zone: ZoneInfo, pauses: list[float]
) -> None:
    last = now
    trained_for = []
    for pause in pauses:
        now += pause
        if daily_schedule.is_due(now, last, at, zone):
            trained_for.append(daily_schedule.last_due(now, at, zone))
            last = now

    assert trained_for == sorted(set(trained_for))
    # The night before every look was trained for, at that look or before.
    due = daily_schedule.last_due(now, at, zone)
    assert last >= due


@pytest.mark.parametrize(
    ("day", "at", "utc_hour"),
    [
        ("2026-03-28", time(2, 30), "01:30"),
        ("2026-03-29", time(2, 30), "01:30"),  # 02:30 does not exist: 03:30 summer time
        ("2026-03-30", time(2, 30), "00:30"),
        ("2026-10-25", time(2, 30), "00:30"),  # 02:30 comes twice: the first
        ("2026-10-26", time(2, 30), "01:30"),
    ],
)
def test_daylight_saving_neither_skips_nor_repeats_a_date(
    day: str, at: time, utc_hour: str
) -> None:
    evening = datetime.fromisoformat(f"{day}T20:00:00+00:00").timestamp()

    due = daily_schedule.last_due(evening, at, ZoneInfo("Europe/Berlin"))

    assert datetime.fromtimestamp(due, UTC).isoformat() == f"{day}T{utc_hour}:00+00:00"


def test_default_is_the_systems_time_zone() -> None:
    due = daily_schedule.last_due(1_750_000_000.0, time(3, 30), None)

    assert datetime.fromtimestamp(due).time() == time(3, 30)


def test_due_if_never_trained_or_clock_set_back() -> None:
    assert daily_schedule.is_due(1000.0, None, time(3, 30), UTC)
    assert daily_schedule.is_due(1000.0, 5000.0, time(3, 30), UTC)
