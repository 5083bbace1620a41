"""A crowd on one machine, played through: how long people wait for picks and for ratings' effects.

Each listener hears a song after the other; with each comes a refill, with some a rating, after
which everything is predicted anew for that listener. The jobs wait in line for the cores. Songs and
ratings come at random (Poisson), and take what was measured.
"""

import heapq
from dataclasses import dataclass

import numpy as np

SONG_SECONDS = 210.0
SONGS_A_RATING = 10.0
HOURS = 2.0
MOST_JOBS = 200_000
"""An evening of a large crowd ends when so much was asked for: it shows nothing new."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What serves the crowd; seconds are those of one core."""

    cores: int
    refill_seconds: float
    rating_seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """The 95th percentiles from a request to its end, in seconds, and how busy the cores were.

    A load of 1 or more means that the line grows for ever.
    """

    refill_seconds: float
    rating_seconds: float
    load: float


def evening(machine: Machine, listeners: int, seed: int = 0) -> Waiting:
    """Return how long people wait in an evening of at most `HOURS`."""
    rng = np.random.default_rng(seed)
    horizon = min(HOURS * 3600, MOST_JOBS * SONG_SECONDS / listeners)
    refills = _moments(rng, listeners / SONG_SECONDS, horizon)
    ratings = _moments(rng, listeners / SONG_SECONDS / SONGS_A_RATING, horizon)
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
        _patience(took[: len(refills)]),
        _patience(took[len(refills) :]),
        float(costs.sum() / horizon / machine.cores),
    )


def largest(machine: Machine, refill_seconds: float, rating_seconds: float) -> int:
    """Return how many listeners get both within these times, at most a million."""
    low, high = 0, 1
    while high <= 1_000_000 and _content(machine, high, refill_seconds, rating_seconds):
        low, high = high, 2 * high
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        if _content(machine, middle, refill_seconds, rating_seconds):
            low = middle
        else:
            high = middle
    return low


def _content(
    machine: Machine, listeners: int, refill_seconds: float, rating_seconds: float
) -> bool:
    load = listeners / SONG_SECONDS / machine.cores
    load *= machine.refill_seconds + machine.rating_seconds / SONGS_A_RATING
    if load >= 1:
        return False
    waiting = evening(machine, listeners)
    return waiting.refill_seconds <= refill_seconds and waiting.rating_seconds <= rating_seconds


def _moments(
    rng: np.random.Generator, rate: float, horizon: float
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.sort(rng.uniform(0, horizon, rng.poisson(rate * horizon)))


def _patience(took: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    return float(np.quantile(took, 0.95)) if len(took) else 0.0
