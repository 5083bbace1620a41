"""All stores of one database."""

from dataclasses import dataclass
from pathlib import Path

from anagnorisisd.storage.database import Database
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.playlists import PlaylistStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.queue import QueueStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore
from anagnorisisd.storage.uri_identities import UriIdentityStore

FILE_NAME = "anagnorisis.db"


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores by subject, and their database."""

    database: Database
    library: LibraryStore
    ratings: RatingStore
    plays: PlayStore
    embeddings: EmbeddingStore
    evaluators: EvaluatorStore
    queue: QueueStore
    stickers: StickerStore
    playlists: PlaylistStore
    uri_identities: UriIdentityStore

    async def close(self) -> None:
        """Finish the submitted jobs, then close the database."""
        await self.database.close()


async def open_stores(directory: Path) -> Stores:
    """Open the database in `directory`; create both if necessary, readable only by the user.

    Raises:
        StoreError: the database cannot be used; the message has the reason and a remedy.
    """
    database = Database(directory / FILE_NAME)
    await database.open()
    return Stores(
        database=database,
        library=LibraryStore(database),
        ratings=RatingStore(database),
        plays=PlayStore(database),
        embeddings=EmbeddingStore(database),
        evaluators=EvaluatorStore(database),
        queue=QueueStore(database),
        stickers=StickerStore(database),
        playlists=PlaylistStore(database),
        uri_identities=UriIdentityStore(database),
    )
