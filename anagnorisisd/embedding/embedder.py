"""What every embedder has in common: its arrays, its settings and the `Embedder` protocol."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.config.schema import Embedding
from anagnorisisd.domain.embedding import Conditions, EmbedderStamp, ExecutorState, FilePart
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.errors import WeightsUnreadable

Samples = NDArray[np.float32]
"""Mono audio within -1 and 1, `[samples]` or `[windows, samples]`."""

Vector = NDArray[np.float32]
"""An embedding, `[dimension]`, finite."""

DECODER_MEMORY_BYTES = 1536 << 20
"""Memory limit of a worker that decodes: several times what any valid file needs."""


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """The `embedding` section of the configuration, and the model and cache directories.

    `conditions` are those of the plan to follow, where another computer asks for the vectors.
    """

    config: Embedding
    model_directory: Path
    cache_directory: Path
    conditions: Conditions = ()

    @property
    def cores(self) -> int:
        """Return how many processor cores embedding may use."""
        return self.config.workers or len(os.sched_getaffinity(0))


class Embedder(Protocol):
    """Maps a file to a vector; the work is done in worker processes."""

    @property
    def stamp(self) -> EmbedderStamp:
        """Return the stamp that is stored with every vector."""
        ...

    @property
    def concurrency(self) -> int:
        """Return how many files should be embedded at the same time."""
        ...

    @property
    def executor(self) -> ExecutorState:
        """Return where the vectors are made, and the state of that executor."""
        ...

    async def embed(self, file: str | FilePart) -> Vectors:
        """Return the vector, `[dimension]` finite float32, of a file or a part of one.

        Raises:
            FileNotFoundError: the file no longer exists.
            EmbeddingFailed: the file cannot be embedded, or its worker died or hung.
            EmbedderUnusable: no file can be embedded at present.
        """
        ...

    async def close(self) -> None:
        """Stop the workers at once."""
        ...


class EmbedderPreference(Protocol):
    """The embedder to use; it changes when weights arrive or turn out to be unusable."""

    def wanted(self) -> EmbedderStamp:
        """Return the stamp of the best usable embedder; may read files.

        Raises:
            EmbedderUnusable: there is none.
        """
        ...

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Exclude an embedder that failed from now on."""
        ...


class UnreadableEmbedder:
    """The configured embedder while its weights cannot be read: it embeds nothing.

    Its stamp is that of no vector. As soon as the weights can be read, another one is wanted.
    """

    concurrency = 0

    def __init__(self, name: str, reason: str) -> None:
        self.stamp = EmbedderStamp(name, "unreadable", 1)
        self.executor = ExecutorState(problem=reason)

    async def embed(self, file: str | FilePart) -> Vectors:
        """Raise `WeightsUnreadable`."""
        raise WeightsUnreadable(self.executor.problem)

    async def close(self) -> None:
        """Do nothing: there are no workers."""
