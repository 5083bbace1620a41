"""Likes: `like` stickers of other clients as ratings, for listeners who wish that.

0 is hated, 1 is neutral and says nothing, 2 is loved. A like found for the first time counts only
where there is no rating; one that changes is the listener's newest word.
"""

from anagnorisisd.domain.track import Uri
from anagnorisisd.ports.player import Player
from anagnorisisd.ports.stores import RatingStore, StickerStore
from anagnorisisd.services.ratings.ratings import Ratings
from anagnorisisd.services.ratings.uri_tracks import UriTracks

NAME = "like"
RATINGS = {"0": 2.0, "2": 8.0}


class Likes:
    """Reads likes."""

    def __init__(
        self,
        player: Player,
        stickers: StickerStore,
        store: RatingStore,
        ratings: Ratings,
        tracks: UriTracks,
    ) -> None:
        self._player = player
        self._stickers = stickers
        self._store = store
        self._ratings = ratings
        self._tracks = tracks

    async def read(self) -> None:
        """Make ratings of the likes that changed since the last time.

        Raises:
            PlayerUnavailable: the player went away.
            PlayerRefused: the player has no stickers.
        """
        likes, seen = await self._player.stickers(NAME), await self._stickers.seen(NAME)
        rated = await self._store.current()
        noted: dict[Uri, str | None] = {uri: None for uri in seen if uri not in likes}
        for uri, text in likes.items():
            track_id = await self._tracks.at(uri)
            if seen.get(uri) == text or track_id is None:
                continue
            value = RATINGS.get(text.strip())
            if value is not None and (uri in seen or track_id not in rated):
                await self._ratings.rate(track_id, value, source=NAME)
            noted[uri] = text
        if noted:
            await self._stickers.remember(NAME, noted)
