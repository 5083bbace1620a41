"""Embedders whose work is done by worker processes.

An error that nobody foresaw may be the file's fault or the program's: a library that has changed
fails at every track. Until a first track has succeeded, such an error has `SAMPLE` embedded. If
that fails too, it is the embedder's failure, and no track is to blame.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import numpy as np

from anagnorisisd.domain.embedding import (
    LOCAL_EXECUTOR,
    EmbedderStamp,
    EmbeddingPlan,
    ExecutorState,
    FilePart,
    PlanStage,
    path_of,
)
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.errors import AnagnorisisError, EmbedderUnusable, EmbeddingFailed, WorkerLost
from anagnorisisd.library.file_access import os_error_reason
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

log = logging.getLogger(__name__)

SAMPLE = Path(__file__).with_name("sample.flac")
"""A minute of sound that every embedder can embed."""

CLOCK = 10
"""So much longer than its limit a track may take on the clock: workers have the lowest priority,
and on a busy machine time passes while nothing is done."""


class WorkerEmbedder:
    """Follows a plan; each stage has processes of its own, so that stages overlap."""

    def __init__(
        self,
        plan: EmbeddingPlan,
        *,
        idle_seconds: float,
        timeout_seconds: float,
        readable_paths: ReadablePaths | None = None,
    ) -> None:
        self._plan = plan
        self._timeout_seconds = timeout_seconds
        self._stages = [
            (stage, _pool(f"{plan.stamp.name} {number}", stage, idle_seconds, readable_paths))
            for number, stage in enumerate(plan.stages, start=1)
        ]
        self._works: bool | None = None
        """Whether a file was ever embedded; `None` before the first."""
        self._lock = asyncio.Lock()

    @property
    def stamp(self) -> EmbedderStamp:
        """The stamp that is stored with every vector."""
        return self._plan.stamp

    @property
    def concurrency(self) -> int:
        """How many files should be embedded at the same time: one per worker, and one more."""
        return sum(stage.workers for stage in self._plan.stages) + 1

    @property
    def pools(self) -> list[WorkerPool]:
        """The worker processes of all stages."""
        return [pool for _, pool in self._stages]

    @property
    def executor(self) -> ExecutorState:
        """This computer."""
        return LOCAL_EXECUTOR

    async def embed(self, file: str | FilePart) -> Vectors:
        """Return the vector, `[dimension]` finite float32, of a file or a part of one.

        Raises:
            FileNotFoundError: the file no longer exists.
            EmbeddingFailed: the file cannot be embedded, or its worker died or hung.
            EmbedderUnusable: no file can be embedded at present.
        """
        path = path_of(file)
        try:
            vector = self._checked(await self._run(file))
            self._works = True
            return vector
        except WorkerLost as error:
            raise EmbeddingFailed(str(error), permanent=False) from error
        except AnagnorisisError:
            raise
        except FileNotFoundError as error:
            if not await asyncio.to_thread(Path(path).exists):
                raise
            # The file exists: the program misses another one.
            raise await self._unexpected_error(error, path) from error
        except OSError as error:
            # The text of the exception contains the path, and reasons are logged.
            raise EmbeddingFailed(os_error_reason(error), permanent=False) from error
        except MemoryError as error:
            raise EmbeddingFailed("needs more memory than it may have", permanent=False) from error
        except Exception as error:
            raise await self._unexpected_error(error, path) from error

    async def close(self) -> None:
        """Stop the worker processes."""
        for pool in self.pools:
            await pool.close()

    async def _unexpected_error(self, error: Exception, path: str) -> AnagnorisisError:
        """Return the error for an unexpected exception: of the file or of the embedder."""
        log.debug("unexpected error while embedding %s", ascii(path), exc_info=True)
        reason = f"{type(error).__name__}: {error}".replace(path, "the file")
        if not await self._embeds_the_sample():
            return EmbedderUnusable(f"{self.stamp} fails at every track: {reason}")
        return EmbeddingFailed(reason, permanent=True)

    async def _embeds_the_sample(self) -> bool:
        """Return whether the sample file can be embedded; other errors prove nothing."""
        async with self._lock:
            if self._works is None:
                try:
                    self._checked(await self._run(str(SAMPLE)))
                except FileNotFoundError:
                    self._works = not SAMPLE.exists()
                except (AnagnorisisError, OSError, MemoryError):
                    return True
                except Exception:
                    self._works = False
                else:
                    self._works = True
            return self._works

    async def _run(self, file: str | FilePart) -> Any:
        value: Any = file
        for stage, pool in self._stages:
            value = await pool.run(
                stage.target,
                value,
                *stage.arguments,
                timeout_seconds=CLOCK * self._timeout_seconds,
                cpu_seconds=stage.threads * self._timeout_seconds,
                reads=[path_of(file)],
            )
        return value

    def _checked(self, value: Any) -> Vectors:
        vector = np.asarray(value, dtype=np.float32)
        if vector.shape != (self.stamp.dimension,):
            raise ValueError(f"{self.stamp} made a vector of the shape {vector.shape}")
        if not np.isfinite(vector).all():
            raise EmbeddingFailed("gives a vector that is not finite", permanent=True)
        return vector


def _pool(
    name: str, stage: PlanStage, idle_seconds: float, readable_paths: ReadablePaths | None
) -> WorkerPool:
    return WorkerPool(
        name=name,
        size=stage.workers,
        threads=stage.threads,
        memory_bytes=stage.memory_bytes,
        idle_seconds=idle_seconds,
        readable_paths=readable_paths if stage.confined else None,
    )
