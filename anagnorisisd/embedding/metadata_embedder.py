"""The embedder where no audio is on this computer: it tells nothing of how a track sounds.

Every track has the same vector, so that the evaluator learns from artist, album, genre, folder and
year alone, as it does beside any other embedder.
"""

import numpy as np

from anagnorisisd.domain.embedding import LOCAL_EXECUTOR, METADATA, EmbedderStamp, FilePart
from anagnorisisd.domain.evaluator import Vectors

NO_SOUND = (
    "music.source is mpd, so the daemon has no audio and does not know how tracks sound; "
    "set music.source to files where the music directory is mounted"
)


class MetadataEmbedder:
    """An embedder that reads no files, and is the only one to prefer."""

    stamp = METADATA
    concurrency = 8
    executor = LOCAL_EXECUTOR

    async def embed(self, file: str | FilePart) -> Vectors:
        """Return the vector of every track."""
        return np.zeros(self.stamp.dimension, np.float32)

    async def close(self) -> None:
        """Do nothing: there are no workers."""

    def wanted(self) -> EmbedderStamp:
        """Return its stamp: without audio there is no better embedder."""
        return self.stamp

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Do nothing: it cannot fail."""
