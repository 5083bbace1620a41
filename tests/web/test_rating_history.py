"""The rating history as it is read, counted and drawn."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisis.v1.rating_pb2 import ListRatingsRequest, ListRatingsResponse, Rating
from anagnorisis_web import charts, rating_history
from anagnorisis_web.rating_history import RatingHistory


def entry(sequence: int, track: int, value: float | None, day: int = 0) -> Rating:
    rating = Rating(sequence=sequence, track_id=f"{track:032x}")
    if value is not None:
        rating.value = value
    rating.rated_at.FromSeconds(1_700_000_000 + 86_400 * day)
    return rating


ENTRIES = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.floats(0, 10), st.integers(0, 3000)), max_size=60
)


@given(ENTRIES)
def test_the_distribution_counts_each_rated_track_once(given: Any) -> None:
    history = [entry(number, *each) for number, each in enumerate(given)][::-1]
    present = {track: value for track, value, _ in given}
    counts = rating_history.distribution(history)
    assert len(counts) == 11
    assert sum(counts) == sum(value is not None for value in present.values())


@given(ENTRIES)
def test_there_are_few_periods_and_none_is_empty(given: Any) -> None:
    days = sorted(day for _, _, day in given)
    history = [
        entry(number, track, value, day)
        for number, ((track, value, _), day) in enumerate(zip(given, days, strict=True))
    ][::-1]
    found = rating_history.periods(history)
    assert len(found) <= rating_history.MAX_PERIODS
    assert sum(each.ratings for each in found) == sum(value is not None for _, value, _ in given)
    assert all(0 <= each.mean <= 10 for each in found)
    assert [each.name for each in found] == sorted(each.name for each in found)


@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_bars_stay_inside_the_chart(values: list[int]) -> None:
    chart = charts.bar_chart({f"2026-{number}": value for number, value in enumerate(values)})
    assert len(chart.bars) == len(values)
    for bar, value in zip(chart.bars, values, strict=True):
        assert bar.x >= charts.LEFT
        assert bar.x + bar.width <= charts.WIDTH
        assert charts.TOP <= bar.y <= charts.HEIGHT - charts.BOTTOM
        assert (bar.height > 0) == (value > 0) or value < max(values) / 100
    positions = [tick.position for tick in chart.x_ticks]
    assert all(b - a >= charts.LABEL_WIDTH * 0.99 for a, b in pairwise(positions))


class Ratings:
    """The rating history of a daemon, in pages; `reads` counts the entries that were sent."""

    def __init__(self, count: int) -> None:
        self.ratings = self
        self.entries = [entry(number, number % 7, 5) for number in range(1, count + 1)]
        self.reads = 0

    async def ListRatings(self, request: ListRatingsRequest, timeout: float) -> ListRatingsResponse:
        before = int(request.page_token or len(self.entries))
        page = self.entries[max(0, before - request.page_size) : before][::-1]
        self.reads += len(page)
        rest = before - len(page)
        return ListRatingsResponse(ratings=page, next_page_token=str(rest) if rest else "")


async def test_only_new_entries_are_read_again() -> None:
    daemon: Any = Ratings(2500)
    history = RatingHistory(daemon)
    assert sequences(await history.entries()) == list(range(2500, 0, -1))
    assert daemon.reads == 2500
    for added in (0, 1, 40):
        daemon.reads = 0
        known = len(daemon.entries)
        daemon.entries += [entry(known + 1 + number, 3, 5) for number in range(added)]
        assert sequences(await history.entries()) == list(range(known + added, 0, -1))
        assert daemon.reads <= added + rating_history.PAGE_SIZE + rating_history.FEW


@pytest.mark.parametrize("count", [0, 3, 50, 2000])
async def test_another_history_is_read_whole(count: int) -> None:
    daemon: Any = Ratings(1000)
    history = RatingHistory(daemon)
    await history.entries()
    daemon.entries = [entry(number, 1, 9, day=1) for number in range(1, count + 1)]
    found = await history.entries()
    assert sequences(found) == list(range(count, 0, -1))
    assert all(each.value == 9 for each in found)


def sequences(entries: Sequence[Rating]) -> list[int]:
    return [each.sequence for each in entries]
