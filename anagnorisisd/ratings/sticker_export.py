"""Notes: what the daemon knows of a track, written to stickers for other clients to show.

Only what has changed since it was last written is written, to every copy of a track. Nothing is
read back, but after a new connection what is missing there is written again.
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

PREDICTED = "predictedRating"
PLAYS = "playCount"
SKIPS = "skipCount"
LAST_PLAYED = "lastPlayed"
BATCH = 500
"""How many notes are remembered in one transaction."""


class StickerExport:
    """Writes predicted ratings and counts of plays."""

    def __init__(self, player: Player, library: LibraryStore, stickers: StickerStore) -> None:
        self._player = player
        self._library = library
        self._stickers = stickers
        self._sessions: dict[str, int] = {}

    async def write_predicted(self) -> None:
        """Write the predicted rating, with one decimal, of every present track that has one.

        Raises:
            PlayerUnavailable: the player went away.
            PlayerRefused: the player has no stickers.
        """
        candidates = await self._library.candidates()
        rows = np.flatnonzero(~np.isnan(candidates.predicted_mean)).tolist()
        await self._write(
            PREDICTED,
            {candidates.track_id(row): f"{candidates.predicted_mean[row]:.1f}" for row in rows},
        )

    async def write_plays(self) -> None:
        """Write how often every present track was played in full and skipped, and when last.

        Raises:
            PlayerUnavailable: the player went away.
            PlayerRefused: the player has no stickers.
        """
        candidates = await self._library.candidates()
        for name, column in (
            (PLAYS, candidates.full_plays),
            (SKIPS, candidates.skips),
            (LAST_PLAYED, candidates.last_played_at),
        ):
            rows = np.flatnonzero(np.isfinite(column) & (column > 0)).tolist()
            await self._write(
                name, {candidates.track_id(row): str(int(column[row])) for row in rows}
            )

    async def _write(self, name: str, texts: Mapping[TrackId, str]) -> None:
        seen = dict(await self._stickers.seen(name))
        session = self._player.link().session
        if self._sessions.get(name) != session:  # the player may have lost what was written
            present = await self._player.stickers(name)
            seen = {uri: known for uri, known in seen.items() if uri in present}
        copies = await self._library.copies(list(texts))
        changed = ((uri, texts[track]) for uri, track in copies.items())
        wanted = iter(
            [(uri, text) for uri, text in changed if seen.get(uri) != SyncedSticker(text)]
        )
        while batch := list(islice(wanted, BATCH)):
            written = {
                uri: SyncedSticker(text) for uri, text in batch if await self._set(uri, name, text)
            }
            await self._stickers.remember(name, written)
        self._sessions[name] = session

    async def _set(self, uri: Uri, name: str, text: str) -> bool:
        try:
            await self._player.set_sticker(uri, name, text)
        except PlayerRefused:  # not in the player's database, or no stickers at all
            return False
        return True
