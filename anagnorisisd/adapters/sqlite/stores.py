"""All stores over one database."""

from dataclasses import dataclass
from pathlib import Path

from anagnorisisd.adapters.sqlite.database import Database
from anagnorisisd.adapters.sqlite.embeddings import SqliteEmbeddings
from anagnorisisd.adapters.sqlite.evaluators import SqliteEvaluators
from anagnorisisd.adapters.sqlite.library import SqliteLibrary
from anagnorisisd.adapters.sqlite.plays import SqlitePlays
from anagnorisisd.adapters.sqlite.queue import SqliteQueue
from anagnorisisd.adapters.sqlite.ratings import SqliteRatings
from anagnorisisd.adapters.sqlite.stickers import SqliteStickers
from anagnorisisd.ports.stores import (
    EmbeddingStore,
    EvaluatorStore,
    LibraryStore,
    PlayStore,
    QueueStore,
    RatingStore,
    StickerStore,
)

FILE_NAME = "anagnorisis.db"


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that is remembered, by subject."""

    database: Database
    library: LibraryStore
    ratings: RatingStore
    plays: PlayStore
    embeddings: EmbeddingStore
    evaluators: EvaluatorStore
    queue: QueueStore
    stickers: StickerStore

    async def close(self) -> None:
        """Let what is under way finish, then close the database."""
        await self.database.close()


async def open_stores(directory: Path) -> Stores:
    """Open the database in `directory`, creating both, readable by nobody else.

    Raises:
        StoreError: the database cannot be used; the text says why and what to do.
    """
    database = Database(directory / FILE_NAME)
    await database.open()
    return Stores(
        database=database,
        library=SqliteLibrary(database),
        ratings=SqliteRatings(database),
        plays=SqlitePlays(database),
        embeddings=SqliteEmbeddings(database),
        evaluators=SqliteEvaluators(database),
        queue=SqliteQueue(database),
        stickers=SqliteStickers(database),
    )
