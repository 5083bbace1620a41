"""Likes: `like` stickers of other clients as ratings, for listeners who wish that.

What a like asks for is in the second table of `ratings/sticker_rules.py`.
"""

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating, SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import RatedMeanwhile
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings import sticker_rules
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.sticker_reader import NOTICE_SECONDS, Reading, StickerReader
from anagnorisisd.ratings.sticker_rules import SyncAction, SyncState
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

NAME = "like"


class LikeStickers:
    """Reads likes."""

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
        self._told_at = 0.0
        self.reader = StickerReader(player, NAME, lambda text: text.strip() in sticker_rules.LIKES)

    def changed(self, told_at: float) -> None:
        """Note when the player told that a sticker changed."""
        self._told_at = told_at

    async def compare(self) -> bool:
        """Follow the likes that changed; return whether to compare again soon.

        Raises:
            PlayerUnavailable: the player went away.
            PlayerRefused: the player has no stickers.
        """
        newest = dict(await self._store.newest())
        last = max((entry.sequence for entry in newest.values()), default=0)
        reading = await self.reader.read(last)
        seen = await self._stickers.seen(NAME)
        noted: dict[Uri, SyncedSticker] = {}
        again = bool(reading.suspects)
        try:
            for uri in sorted({*reading.texts, *seen}):
                again |= not await self._follow(uri, reading, seen.get(uri), newest, noted)
        finally:
            if noted:
                await self._stickers.remember(NAME, noted)
        await self.reader.complete(reading)
        return again

    async def _follow(
        self,
        uri: Uri,
        reading: Reading,
        seen: SyncedSticker | None,
        newest: dict[TrackId, Rating],
        noted: dict[Uri, SyncedSticker],
    ) -> bool:
        """Do what one like asks for; return whether that could be done."""
        text, changed = reading.texts.get(uri), reading.changed(uri)
        if not changed and seen is not None and seen.value == text:
            return True
        track_id = await self._tracks.get(uri)
        if track_id is None:
            return True
        entry = newest.get(track_id)
        move = sticker_rules.like_move(
            _sides(text, seen, entry, changed and self._is_newer(reading, track_id, entry)),
            from_like=entry is not None and entry.source == NAME,
        )
        if move is SyncAction.CLEAR and not await self._player.has(uri):
            return True
        try:
            entry = await self._carry_out(move, track_id, entry, text)
        except RatedMeanwhile:
            return False
        if entry is not None and move in {SyncAction.RATE, SyncAction.CLEAR}:
            newest[track_id] = entry
            self.reader.note({uri: text}, track_id, entry.sequence)
        if move is not SyncAction.KEEP:
            noted[uri] = SyncedSticker(text, 0 if entry is None else entry.sequence)
        return True

    async def _carry_out(
        self, move: SyncAction, track_id: TrackId, entry: Rating | None, text: str | None
    ) -> Rating | None:
        """Return the entry of the track that counts then."""
        after = 0 if entry is None else entry.sequence
        if move is SyncAction.RATE and text is not None:
            value = sticker_rules.LIKES[text.strip()]
            change = await self._ratings.rate(track_id, value, source=NAME, after=after)
            return change.rating
        if move is SyncAction.CLEAR:
            return (await self._ratings.clear(track_id, source=NAME, after=after)).rating
        return entry

    def _is_newer(self, reading: Reading, track_id: TrackId, entry: Rating | None) -> bool:
        """Whether a like that changed just now is newer than our rating."""
        if entry is None or reading.is_after(track_id, entry.sequence):
            return True
        return self._told_at > entry.rated_at + NOTICE_SECONDS


def _sides(
    text: str | None, seen: SyncedSticker | None, entry: Rating | None, live: bool
) -> SyncState:
    rating, sequence = (None, 0) if entry is None else (entry.value, entry.sequence)
    return SyncState(text, seen, rating, sequence, live)
