"""What an embedder may know of the computer and of the listener's wishes."""

import os
from dataclasses import dataclass
from pathlib import Path

from anagnorisisd.config.schema import Embedding
from anagnorisisd.domain.embedding import Conditions

READING_MEMORY_BYTES = 1536 << 20
"""What a worker that decodes may hold: several times what any honest file needs."""


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """The `embedding` section, and where weights and what is computed from them lie.

    `conditions` are those of the recipe to follow, where another computer asks for the vectors.
    """

    config: Embedding
    model_directory: Path
    cache_directory: Path
    conditions: Conditions = ()

    @property
    def cores(self) -> int:
        """How many processor cores embedding may use."""
        return self.config.workers or len(os.sched_getaffinity(0))
