"""Simulation of many listeners on one computer: waiting times of refills and ratings.

Each song causes a refill, and some a rating, after which all tracks are predicted again for that
listener. Jobs queue for the cores (M/D/c). They arrive as a Poisson process and take the measured
time.
"""

import heapq
from dataclasses import dataclass

import numpy as np

SONG_SECONDS = 210.0
SONGS_PER_RATING = 10.0
HOURS = 2.0
MAX_JOBS = 200_000
"""A simulation ends after this many jobs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The computer; seconds are those of one core."""

    cores: int
    refill_seconds: float
    rating_seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """95th percentiles of the response time, in seconds, and utilisation of the cores.

    With a load of 1 or more the queue grows without limit.
    """

    refill_seconds: float
    rating_seconds: float
    load: float


def simulate(machine: Machine, listeners: int, seed: int = 0) -> Waiting:
    """Simulate an evening of at most `HOURS`."""
    rng = np.random.default_rng(seed)
    horizon = min(HOURS * 3600, MAX_JOBS * SONG_SECONDS / listeners)
    refills = _arrivals(rng, listeners / SONG_SECONDS, horizon)
    ratings = _arrivals(rng, listeners / SONG_SECONDS / SONGS_PER_RATING, horizon)
    begun = np.concatenate([refills, ratings])
    costs = np.repeat(
        [machine.refill_seconds, machine.rating_seconds], [len(refills), len(ratings)]
    )
    order = np.argsort(begun, kind="stable")
    took = np.empty(len(begun))
    free = [0.0] * machine.cores
    for job in order:
        end = max(begun[job], free[0]) + costs[job]
        heapq.heapreplace(free, end)
        took[job] = end - begun[job]
    return Waiting(
        _percentile(took[: len(refills)]),
        _percentile(took[len(refills) :]),
        float(costs.sum() / horizon / machine.cores),
    )


def largest(machine: Machine, refill_seconds: float, rating_seconds: float) -> int:
    """Return the maximum number of listeners within these response times, at most a million."""
    low, high = 0, 1
    while high <= 1_000_000 and _is_fast_enough(machine, high, refill_seconds, rating_seconds):
        low, high = high, 2 * high
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        if _is_fast_enough(machine, middle, refill_seconds, rating_seconds):
            low = middle
        else:
            high = middle
    return low


def _is_fast_enough(
    machine: Machine, listeners: int, refill_seconds: float, rating_seconds: float
) -> bool:
    load = listeners / SONG_SECONDS / machine.cores
    load *= machine.refill_seconds + machine.rating_seconds / SONGS_PER_RATING
    if load >= 1:
        return False
    waiting = simulate(machine, listeners)
    return waiting.refill_seconds <= refill_seconds and waiting.rating_seconds <= rating_seconds


def _arrivals(
    rng: np.random.Generator, rate: float, horizon: float
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.sort(rng.uniform(0, horizon, rng.poisson(rate * horizon)))


def _percentile(took: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    return float(np.quantile(took, 0.95)) if len(took) else 0.0
