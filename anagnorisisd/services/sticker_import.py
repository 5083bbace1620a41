"""Import: making ratings of the `rating` stickers that other clients have left."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from anagnorisisd.domain import mirror
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.ports.player import Player
from anagnorisisd.ports.stores import LibraryStore, RatingStore
from anagnorisisd.services.ratings import Ratings

NAME = "rating"
SOURCE = "sticker"
STEP = 100
"""How many stickers are looked at between two reports."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """How far the import of stickers is.

    `taken` became ratings, or would; `rated` are rated here already, `unknown` lie at paths that
    the library does not have, `unreadable` are not on the scale from 0 to 10.
    """

    found: int
    taken: int = 0
    rated: int = 0
    unknown: int = 0
    unreadable: int = 0


class StickerImport:
    """Takes ratings over from the player, or only says what it would take."""

    def __init__(
        self, player: Player, library: LibraryStore, store: RatingStore, ratings: Ratings
    ) -> None:
        self._player = player
        self._library = library
        self._store = store
        self._ratings = ratings

    async def run(self, *, dry_run: bool) -> AsyncIterator[TakenOver]:
        """Rate every track that has a sticker and no rating here, telling how far it is.

        Raises:
            PlayerUnavailable: the player went away; what was taken until then stays.
            PlayerRefused: the player has no stickers.
        """
        stickers = await self._player.stickers(NAME)
        rated = set(await self._store.current())
        progress = TakenOver(len(stickers))
        for done, (uri, text) in enumerate(sorted(stickers.items())):
            if done % STEP == 0:
                yield progress
            progress = await self._take(uri, text, rated, progress, dry_run=dry_run)
        yield progress

    async def _take(
        self, uri: Uri, text: str, rated: set[TrackId], progress: TakenOver, *, dry_run: bool
    ) -> TakenOver:
        value, track_id = mirror.rating_of(text), await self._library.track_at(uri)
        if track_id is None:
            return replace(progress, unknown=progress.unknown + 1)
        if track_id in rated:
            return replace(progress, rated=progress.rated + 1)
        if value is None:
            return replace(progress, unreadable=progress.unreadable + 1)
        rated.add(track_id)
        if not dry_run:
            await self._ratings.rate(track_id, value, source=SOURCE)
        return replace(progress, taken=progress.taken + 1)
