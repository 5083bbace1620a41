"""Times of day: when the nightly training is due, once on each local date, also when clocks change.

A time that is skipped by daylight saving counts as the time it would have been without the change;
of a time that occurs twice, the first counts. So each date has exactly one due time, and the due
times of successive dates ascend.

A training that failed is retried after `FIRST_RETRY_SECONDS`, then after twice as long each time,
and at the next nightly time at the latest.
"""

from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

Zone = tzinfo | None
"""`None` is the time zone of the computer."""

FIRST_RETRY_SECONDS = 600.0


def zone_named(name: str | None) -> Zone:
    """Return the time zone of that name; without one, that of the computer."""
    return ZoneInfo(name) if name else None


def last_due(now: float, at: time, zone: Zone) -> float:
    """Return the latest due time that is not after `now`; both are Unix seconds."""
    return max(moment for moment in _around(now, at, zone) if moment <= now)


def next_due(now: float, at: time, zone: Zone) -> float:
    """Return the first due time after `now`."""
    return min(moment for moment in _around(now, at, zone) if moment > now)


def is_due(now: float, last: float | None, at: time, zone: Zone) -> bool:
    """Return whether a due time has passed since `last`, the end of the last training.

    If `last` is in the future, the clock was set back, and it is due.
    """
    return last is None or last > now or last < last_due(now, at, zone)


def next_try(failures: int, failed_at: float, at: time, zone: Zone) -> float:
    """Return the time of the retry after 1 or more `failures`, the last one at `failed_at`.

    It is after `failed_at` and not after the next nightly time.
    """
    pause = FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16)
    return min(failed_at + pause, next_due(failed_at, at, zone))


def _around(now: float, at: time, zone: Zone) -> list[float]:
    # Two days before and after suffice even where a time zone skipped a whole date.
    today = datetime.fromtimestamp(now, zone).date()
    return [_moment(today + timedelta(days=days), at, zone) for days in range(-2, 3)]


def _moment(day: date, at: time, zone: Zone) -> float:
    return datetime.combine(day, at, tzinfo=zone).timestamp()
