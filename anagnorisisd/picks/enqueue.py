"""Requests: what the listener asked to have queued."""

import logging
from collections.abc import Mapping, Sequence

from anagnorisisd.domain.player import Player, SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PlayerFull, PlayerRefused
from anagnorisisd.storage.library import LibraryStore

log = logging.getLogger(__name__)


class EnqueueService:
    """Puts tracks at the end of the queue; they are the listener's entries, not ours."""

    def __init__(self, library: LibraryStore, player: Player) -> None:
        self._library = library
        self._player = player

    async def queue(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, SongId]:
        """Return the new entry of each track, in order, without those the player does not know.

        Raises:
            PlayerUnavailable: the player is away; what was queued before that stays.
            PlayerFull: the queue has no room for all of them; those before stay.
        """
        uris = await self._library.uris(track_ids)
        queued = {}
        for track_id in track_ids:
            if track_id not in uris:  # its file is missing
                continue
            try:
                queued[track_id] = await self._player.enqueue(uris[track_id])
            except PlayerFull as error:
                done = f"{len(queued)} of {len(track_ids)} were queued"
                raise PlayerFull(f"{error}; {done}") from error
            except PlayerRefused as error:
                log.debug("%s was not queued: %s", uris[track_id], error)
        return queued
