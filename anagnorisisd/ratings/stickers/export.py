"""Predicted ratings and play counts, written to stickers for other clients to show.

Only changes are written, to every file of a track. These stickers are not read back, but after a
reconnection those that are missing are written again.
"""

from collections.abc import Mapping
from itertools import islice

import numpy as np

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerRefused
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.stickers import StickerStore

PREDICTED_RATING = "predictedRating"
PLAY_COUNT = "playCount"
SKIP_COUNT = "skipCount"
LAST_PLAYED = "lastPlayed"
BATCH_STICKERS = 500
"""The number of stickers that are stored as written in one transaction."""


class StickerExport:
    """Writes predicted ratings and play counts to stickers."""

    def __init__(self, player: Player, library: LibraryStore, stickers: StickerStore) -> None:
        self._player = player
        self._library = library
        self._stickers = stickers
        self._sessions: dict[str, int] = {}

    async def write_predictions(self) -> None:
        """Write the predicted rating, with one decimal, of every present track that has one.

        Raises:
            PlayerUnavailable: the connection was lost.
            PlayerRefused: the player has no stickers.
        """
        candidates = await self._library.candidates()
        rows = np.flatnonzero(~np.isnan(candidates.predicted_mean)).tolist()
        await self._write(
            PREDICTED_RATING,
            {candidates.track_id(row): f"{candidates.predicted_mean[row]:.1f}" for row in rows},
        )

    async def write_plays(self) -> None:
        """Write the number of full plays and of skips, and the time of the last play.

        Raises:
            PlayerUnavailable: the connection was lost.
            PlayerRefused: the player has no stickers.
        """
        candidates = await self._library.candidates()
        for name, column in (
            (PLAY_COUNT, candidates.full_plays),
            (SKIP_COUNT, candidates.skips),
            (LAST_PLAYED, candidates.last_played_at),
        ):
            rows = np.flatnonzero(np.isfinite(column) & (column > 0)).tolist()
            await self._write(
                name, {candidates.track_id(row): str(int(column[row])) for row in rows}
            )

    async def _write(self, name: str, texts: Mapping[TrackId, str]) -> None:
        written = dict(await self._stickers.seen(name))
        session = self._player.link().session
        if self._sessions.get(name) != session:  # MPD may have lost what was written before
            present = await self._player.stickers(name)
            written = {uri: synced for uri, synced in written.items() if uri in present}
        copies = await self._library.copies(list(texts))
        wanted = ((uri, texts[track]) for uri, track in copies.items())
        changed = iter(
            [(uri, text) for uri, text in wanted if written.get(uri) != SyncedSticker(text)]
        )
        while batch := list(islice(changed, BATCH_STICKERS)):
            done = {
                uri: SyncedSticker(text) for uri, text in batch if await self._set(uri, name, text)
            }
            await self._stickers.remember(name, done)
        self._sessions[name] = session

    async def _set(self, uri: Uri, name: str, text: str) -> bool:
        """Write a sticker; return whether MPD accepted it."""
        try:
            await self._player.set_sticker(uri, name, text)
        except PlayerRefused:  # The file is not in MPD's database, or there are no stickers.
            return False
        return True
