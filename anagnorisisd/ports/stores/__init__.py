"""What is remembered, by subject. One database stands behind all of them.

Each method is one transaction: when it returns, what it wrote is on disk. Times are unix
seconds. All methods may raise `StoreError`.
"""

from anagnorisisd.ports.stores.embeddings import EmbeddingStore
from anagnorisisd.ports.stores.evaluators import EvaluatorStore
from anagnorisisd.ports.stores.library import (
    Absorbed,
    LibraryCounts,
    LibraryStore,
    TrackFilter,
    TrackKey,
    TrackOrder,
)
from anagnorisisd.ports.stores.plays import PlayStore
from anagnorisisd.ports.stores.queue import QueueStore, StickerStore
from anagnorisisd.ports.stores.ratings import RatingStore

__all__ = [
    "Absorbed",
    "EmbeddingStore",
    "EvaluatorStore",
    "LibraryCounts",
    "LibraryStore",
    "PlayStore",
    "QueueStore",
    "RatingStore",
    "StickerStore",
    "TrackFilter",
    "TrackKey",
    "TrackOrder",
]
