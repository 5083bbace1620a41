"""Embeddings: which embedder made a vector, how, where, and how many tracks have one."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class FilePart(NamedTuple):
    """A part of an audio file, as a cue sheet divides it; `end_seconds` is `None` at its end."""

    path: str
    start_seconds: float
    end_seconds: float | None


def path_of(file: str | FilePart) -> str:
    """Return the path of a file, given by its path or as a part of it."""
    return file if isinstance(file, str) else file.path


@dataclass(frozen=True, slots=True)
class EmbedderStamp:
    """Identifies the embedder of a vector; vectors with different stamps are never compared.

    `version` covers everything that changes the numbers: weights, layer, windows, precision.

    `segments` are the lengths of the parts of a vector, in their order, if different methods
    compute them; empty means one method. The evaluator weighs segments separately. They follow
    from name and version, so they are neither stored nor compared.
    """

    name: str
    version: str
    dimension: int
    segments: tuple[int, ...] = field(default=(), compare=False)

    @property
    def knows_sound(self) -> bool:
        """Whether its vectors tell how tracks sound."""
        return self.name != METADATA.name

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


METADATA = EmbedderStamp("metadata", "1", 1)
"""The stamp of vectors that say nothing, of tracks whose audio is not on this computer."""


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """Where vectors are computed: on this computer, or by workers of a Dask cluster.

    `address` is that of the Dask scheduler, empty for this computer. `workers` counts the usable
    workers, and `problem` says why there are none; both are empty while no track is pending.
    """

    address: str = ""
    workers: int = 0
    problem: str = ""


LOCAL_EXECUTOR = ExecutorState()


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """Counts of present tracks for the current embedder, and the speed of the current run."""

    pending: int
    embedded: int
    failed: int
    tracks_per_second: float | None = None
    executor: ExecutorState = LOCAL_EXECUTOR

    @property
    def total(self) -> int:
        """All present tracks."""
        return self.pending + self.embedded + self.failed

    @property
    def seconds_left(self) -> float | None:
        """Estimated time until no track is pending; `None` while the speed is unknown."""
        if not self.pending:
            return 0.0
        return self.pending / self.tracks_per_second if self.tracks_per_second else None


@dataclass(frozen=True, slots=True)
class PlanStage:
    """One step from a path to a vector, run in worker processes of its own.

    `target` ("package.module:function") is called with the result of the stage before (the first
    one with the path) and then `arguments`. There are up to `workers` processes, with `threads`
    threads each, and with at most `memory_bytes` of memory if that is set. `confined` ones can read
    no files but those of the library and the models.
    """

    target: str
    arguments: tuple[Any, ...]
    workers: int
    threads: int
    memory_bytes: int | None = None
    confined: bool = True


Conditions = tuple[tuple[str, str | int | bool], ...]
"""Names and values, sent to other computers that are to compute the same vectors."""


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """How the vectors of one stamp are computed; the last stage returns the vector.

    `conditions` is what the numbers depend on besides the stamp. An embedder that is given them as
    `Settings.conditions` on another computer computes the same vectors, bit for bit.
    """

    stamp: EmbedderStamp
    stages: tuple[PlanStage, ...]
    conditions: Conditions = ()
