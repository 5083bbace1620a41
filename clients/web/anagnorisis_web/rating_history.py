"""The whole rating history, and what can be counted in it."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from anagnorisis.v1.rating_pb2 import ListRatingsRequest, Rating
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon

FEW, PAGE_SIZE = 10, 1000
MAX_ENTRIES = 50_000
"""Older entries are not read."""
MAX_PERIODS = 24
FORMATS = ("%Y-%m-%d", "%Y-%m", "%Y")
"""Names of days, months and years; the first that gives few enough periods is used."""


class Period(NamedTuple):
    """A day, month or year: the number of ratings that were given in it, and their mean."""

    name: str
    ratings: int
    mean: float


class RatingHistory:
    """The rating history, newest first. Only entries that are new since the last call are read."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._entries: list[Rating] = []

    async def entries(self) -> Sequence[Rating]:
        """Return all entries, newest first."""
        known, added = self._entries, list[Rating]()
        request = ListRatingsRequest(page_size=FEW if known else PAGE_SIZE)
        while len(added) < MAX_ENTRIES:
            answer = await self._daemon.ratings.ListRatings(request, timeout=TIMEOUT_SECONDS)
            for entry in answer.ratings:
                if known and entry.sequence <= known[0].sequence:
                    if _is_same(entry, known[0]):
                        self._entries = [*added, *known][:MAX_ENTRIES]
                        return self._entries
                    known = []  # another history: a backup was restored
                added.append(entry)
            if not answer.next_page_token:
                break
            request.page_token, request.page_size = answer.next_page_token, PAGE_SIZE
        self._entries = added
        return added


def _is_same(one: Rating, other: Rating) -> bool:
    return (one.sequence, one.track_id, one.rated_at.ToNanoseconds()) == (
        other.sequence,
        other.track_id,
        other.rated_at.ToNanoseconds(),
    )


def distribution(entries: Iterable[Rating]) -> list[int]:
    """Return how many tracks are rated 0 to 10 now, halves rounded up, `[11]`.

    `entries` are newest first: the first entry of a track counts.
    """
    present: dict[str, float | None] = {}
    for entry in entries:
        value = entry.value if entry.HasField("value") else None
        present.setdefault(entry.track_id, value)
    counts = Counter(int(value + 0.5) for value in present.values() if value is not None)
    return [counts[rating] for rating in range(11)]


def periods(entries: Iterable[Rating]) -> list[Period]:
    """Return the ratings by day, month or year, oldest first; those without ratings are left out.

    At most `MAX_PERIODS`, the newest.
    """
    given = [entry for entry in entries if entry.HasField("value") and not entry.plays_only]
    for form in FORMATS:
        values: dict[str, list[float]] = defaultdict(list)
        for entry in reversed(given):
            values[time.strftime(form, time.localtime(entry.rated_at.seconds))].append(entry.value)
        if len(values) <= MAX_PERIODS:
            break
    return [
        Period(name, len(each), sum(each) / len(each)) for name, each in sorted(values.items())
    ][-MAX_PERIODS:]
