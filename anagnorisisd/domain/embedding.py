"""Embeddings: which embedder made a vector, and how far the library has come."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EmbedderStamp:
    """Names the maker of a vector; vectors of different stamps are never compared.

    `version` covers everything that changes the numbers: weights, layer, windows, precision.
    """

    name: str
    version: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """Who makes the vectors: this computer, or the workers of the scheduler at `address`.

    `workers` counts those that make them, `lacking` says why there are none. Both are empty too
    while nothing is to be made.
    """

    address: str = ""
    workers: int = 0
    lacking: str = ""


LOCAL_EXECUTOR = ExecutorState()


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """Counts of present tracks for the current embedder, and the speed of the run under way."""

    pending: int
    done: int
    failed: int
    tracks_per_second: float | None = None
    executor: ExecutorState = LOCAL_EXECUTOR

    @property
    def total(self) -> int:
        """All present tracks."""
        return self.pending + self.done + self.failed

    @property
    def seconds_left(self) -> float | None:
        """Time until nothing is pending at the present speed; `None` while that is unknown."""
        if not self.pending:
            return 0.0
        return self.pending / self.tracks_per_second if self.tracks_per_second else None


@dataclass(frozen=True, slots=True)
class PlanStage:
    """A step on the way from a path to a vector, done by processes of its own.

    `target` ("package.module:function") is called with what the stage before returned (the
    first one: the path) and then `arguments`. Up to `workers` run at once, each with `threads`, and
    with no more than `memory_bytes` of its own where there is such a limit. One that reads files of
    others is `confined`.
    """

    target: str
    arguments: tuple[Any, ...]
    workers: int
    threads: int
    memory_bytes: int | None = None
    confined: bool = True


Conditions = tuple[tuple[str, str | int | bool], ...]
"""Names with values, for whoever makes the same vectors on another computer."""


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """How the vectors of one stamp are made; the last stage returns the vector.

    `conditions` is what the numbers depend on beside the stamp: given back to the embedder as
    `Settings.conditions` on another computer, it makes the same vectors there, bit for bit.
    """

    stamp: EmbedderStamp
    stages: tuple[PlanStage, ...]
    conditions: Conditions = ()
