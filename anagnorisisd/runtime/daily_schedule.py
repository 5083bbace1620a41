"""When the nightly training is due: one moment on each local date, whatever the clocks do.

A time that daylight saving skips falls on the moment it would have been without the change; of
a time that comes twice the first counts. So each date has exactly one, and the moments of
successive dates ascend.

A training that failed is tried again `FIRST_RETRY_SECONDS` after its failure, then after twice as
long each time, and at the next nightly moment at the latest. This holds for every training that
the daemon starts by itself.
"""

from datetime import date, datetime, time, timedelta, tzinfo

Zone = tzinfo | None
"""`None` is the time zone of the computer."""

FIRST_RETRY_SECONDS = 600.0


def last_due(now: float, at: time, zone: Zone) -> float:
    """Return the latest due moment that is not after `now`; both are unix seconds."""
    return max(moment for moment in _around(now, at, zone) if moment <= now)


def next_due(now: float, at: time, zone: Zone) -> float:
    """Return the first due moment after `now`."""
    return min(moment for moment in _around(now, at, zone) if moment > now)


def is_due(now: float, last: float | None, at: time, zone: Zone) -> bool:
    """Say whether a due moment has passed since `last`, when a training last ended.

    A `last` in the future is a clock that was set back, and counts as never.
    """
    return last is None or last > now or last < last_due(now, at, zone)


def next_try(failures: int, failed_at: float, at: time, zone: Zone) -> float:
    """Return when to try again after `failures` in a row, 1 or more, the last one at `failed_at`.

    It is after `failed_at` and not after the first nightly moment that follows `failed_at`.
    """
    pause = FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16)
    return min(failed_at + pause, next_due(failed_at, at, zone))


def _around(now: float, at: time, zone: Zone) -> list[float]:
    # Two days on either side hold the neighbours of `now` even across the date line's leaps.
    today = datetime.fromtimestamp(now, zone).date()
    return [_moment(today + timedelta(days=days), at, zone) for days in range(-2, 3)]


def _moment(day: date, at: time, zone: Zone) -> float:
    return datetime.combine(day, at, tzinfo=zone).timestamp()
