"""Files that hung or killed the process that read them: when they may be tried again."""

from dataclasses import dataclass
from enum import StrEnum

HOUR = 3600.0
RETRY_HOURS = (0, 24, 7 * 24, 30 * 24)
"""After the first, second, third and every further loss; a killed reader counts for one more."""


class ReaderLoss(StrEnum):
    """How a file cost the process that read it."""

    HUNG = "hung"  # It may have been the disk: the next scan tries again.
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A file that is not read again before `retry_at`, in unix seconds, unless it changes."""

    problem: str
    retry_at: float


def retry_at(loss: ReaderLoss, losses: int, at: float) -> float:
    """Return when a file may be read again that has cost a reader `losses` times, now at `at`."""
    step = losses - 1 + (loss is ReaderLoss.KILLED)
    return at + RETRY_HOURS[min(step, len(RETRY_HOURS) - 1)] * HOUR
