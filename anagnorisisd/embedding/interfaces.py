"""Heavy work: done in worker processes, awaited here."""

from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, ExecutorState
from anagnorisisd.domain.evaluator import (
    Vectors,
)


class Embedder(Protocol):
    """Maps a file to a vector."""

    @property
    def stamp(self) -> EmbedderStamp:
        """What is written beside every vector."""
        ...

    @property
    def concurrency(self) -> int:
        """How many files are worth having under way at once."""
        ...

    @property
    def executor(self) -> ExecutorState:
        """Where the vectors are made, and how that stands."""
        ...

    async def embed(self, path: str) -> Vectors:
        """Return the vector, `[dimension]` finite float32, of the file at `path`.

        Raises:
            FileNotFoundError: there is no such file any more.
            EmbeddingFailed: the file cannot be embedded, or its worker died or hung.
            EmbedderUnusable: no file can be embedded as things are.
        """
        ...

    async def close(self) -> None:
        """Let the workers go, whatever they are doing."""
        ...


class Preference(Protocol):
    """Which embedder is wanted; that changes when weights arrive, or turn out to be unusable."""

    def wanted(self) -> EmbedderStamp:
        """Return the stamp of the best embedder that can be used; may read files.

        Raises:
            EmbedderUnusable: there is none.
        """
        ...

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Never want this one again: its weights cannot be used."""
        ...
