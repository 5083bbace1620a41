"""`like` stickers of other clients, read as ratings if the configuration says so.

The second table of `rules` says what a like leads to.
"""

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating, SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import RatedMeanwhile
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers import rules
from anagnorisisd.ratings.stickers.rules import SyncAction, SyncState
from anagnorisisd.ratings.stickers.snapshot import Snapshot, SnapshotReader
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

NAME = "like"


class LikeStickers:
    """Compares `like` stickers with ratings, and stores those that are newer."""

    def __init__(
        self,
        player: Player,
        stickers: StickerStore,
        store: RatingStore,
        ratings: RatingService,
        tracks: TrackIdCache,
    ) -> None:
        self._player = player
        self._stickers = stickers
        self._store = store
        self._ratings = ratings
        self._tracks = tracks
        self.reader = SnapshotReader(player, NAME, lambda text: text.strip() in rules.LIKE_RATINGS)

    async def compare(self) -> bool:
        """Compare all likes once; return whether another comparison is needed soon.

        Raises:
            PlayerUnavailable: the connection was lost.
            PlayerRefused: the player has no stickers.
        """
        newest = dict(await self._store.newest())
        last_entry = max((entry.sequence for entry in newest.values()), default=0)
        snapshot = await self.reader.read(last_entry)
        synced = await self._stickers.seen(NAME)
        unsaved: dict[Uri, SyncedSticker] = {}
        again = bool(snapshot.unconfirmed)
        try:
            for uri in sorted({*snapshot.texts, *synced}):
                again |= not await self._sync_file(uri, snapshot, synced.get(uri), newest, unsaved)
        finally:
            if unsaved:
                await self._stickers.remember(NAME, unsaved)
        await self.reader.complete(snapshot)
        return again

    async def _sync_file(
        self,
        uri: Uri,
        snapshot: Snapshot,
        synced: SyncedSticker | None,
        newest: dict[TrackId, Rating],
        unsaved: dict[Uri, SyncedSticker],
    ) -> bool:
        """Do what a like requires; return whether that was possible."""
        text, changed = snapshot.texts.get(uri), snapshot.changed(uri)
        if not changed and synced is not None and synced.value == text:
            return True
        track_id = await self._tracks.get(uri)
        if track_id is None:
            return True
        entry = newest.get(track_id)
        newer = changed and self.reader.is_newer(snapshot, track_id, entry)
        action = rules.like_action(
            _state(text, synced, entry, newer), from_like=entry is not None and entry.source == NAME
        )
        if action is SyncAction.CLEAR and not await self._player.has(uri):
            return True
        try:
            entry = await self._apply(action, track_id, entry, text)
        except RatedMeanwhile:
            return False
        if entry is not None and action in {SyncAction.RATE, SyncAction.CLEAR}:
            newest[track_id] = entry
            self.reader.record({uri: text}, track_id, entry.sequence)
        if action is not SyncAction.KEEP:
            unsaved[uri] = SyncedSticker(text, 0 if entry is None else entry.sequence)
        return True

    async def _apply(
        self, action: SyncAction, track_id: TrackId, entry: Rating | None, text: str | None
    ) -> Rating | None:
        """Rate or clear the track if the action is that; return its newest entry."""
        after = 0 if entry is None else entry.sequence
        if action is SyncAction.RATE and text is not None:
            value = rules.LIKE_RATINGS[text.strip()]
            change = await self._ratings.rate(track_id, value, source=NAME, after=after)
            return change.rating
        if action is SyncAction.CLEAR:
            return (await self._ratings.clear(track_id, source=NAME, after=after)).rating
        return entry


def _state(
    text: str | None, synced: SyncedSticker | None, entry: Rating | None, newer: bool
) -> SyncState:
    rating, sequence = (None, 0) if entry is None else (entry.value, entry.sequence)
    return SyncState(text, synced, rating, sequence, newer)
