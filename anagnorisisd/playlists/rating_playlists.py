"""Rating by playlist: a song that a client adds to the playlist `Rate 08` is rated 8.

A playlist with songs is exchanged for an empty one in one step. Then no client can change it, and
its songs are rated before it is removed. Each rating has a request id made of the playlist's
temporary name: whatever is interrupted is repeated, and rates no song twice.
"""

import asyncio
import contextlib
import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import NothingToUndo, PlayerRefused, PlayerUnavailable
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.listening.player_monitor import ChangeConsumer
from anagnorisisd.mpd.playlists import StoredPlaylists
from anagnorisisd.playlists import rating_rules
from anagnorisisd.playlists.owned_playlists import Inventory, OwnedPlaylists
from anagnorisisd.playlists.rating_rules import Action, Clear, Rate, Undo
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.database import batched
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.playlists import CreatedPlaylist, PlaylistKind, PlaylistStore

log = logging.getLogger(__name__)

SOURCE = "playlist"

RETRY_SECONDS = 60.0
"""How long after MPD refused a command everything is tried again."""

RATINGS_AT_ONCE = 100
"""So many ratings are written together, to share the wait for the disk."""

MAX_NAMED_SONGS = 5
"""So many songs that are not in the library are named by one log message."""


class RatingPlaylists:
    """Keeps the rating playlists, and rates the songs that clients add to them."""

    def __init__(
        self,
        *,
        player: Player,
        playlists: StoredPlaylists,
        store: PlaylistStore,
        library: LibraryStore,
        ratings: RatingService,
        events: Events,
        clock: Clock,
        config: schema.Ratings,
    ) -> None:
        self._player = player
        self._playlists = playlists
        self._owned = OwnedPlaylists(player, playlists, store, PlaylistKind.RATING)
        self._ratings = ratings
        self._events = events
        self._tracks = TrackIdCache(library, events)
        self._config = config
        self._consumer = ChangeConsumer("Rating by playlist", self._step, clock)
        self._removed = False
        self._refused = False
        self._unknown: set[str] = set()
        self._not_ours: set[str] = set()

    def reconfigure(self, config: schema.Ratings) -> None:
        """Apply a changed configuration."""
        self._config = config
        self._consumer.wake()

    def notice(self, changed: frozenset[str]) -> None:
        """Take note of changes in MPD, by the names of its subsystems, without waiting."""
        if changed & {"connected", "stored_playlist"}:
            self._consumer.wake(changed)

    async def run(self) -> None:
        """Rate after every change, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._consumer.run())
            tasks.create_task(self._watch_library())
            self._consumer.wake()

    async def _watch_library(self) -> None:
        with self._events.subscribe() as announcements:
            async for announcement in announcements:
                found = announcement.missed or isinstance(announcement.event, LibraryChanged)
                if found and self._unknown:
                    self._consumer.wake()

    async def _step(self, changed: frozenset[str]) -> float:
        config = self._config  # which may change meanwhile
        if "connected" in changed:
            self._removed = False
        unused = self._removed and not config.playlists
        if unused or not self._player.link().connected:
            return math.inf
        try:
            await self._process(config)
        except PlayerUnavailable:  # logged elsewhere; it goes on after the reconnection
            return math.inf
        except PlayerRefused as error:
            if not self._refused:
                log.warning(
                    "cannot rate by playlist: %s; check playlist_directory in mpd.conf, and the "
                    "permission 'control'",
                    error,
                )
            self._refused = True
            return RETRY_SECONDS
        self._refused = False
        self._removed = not config.playlists
        return math.inf

    async def _process(self, config: schema.Ratings) -> None:
        """Create missing playlists, remove unwanted ones, and rate the songs in the others."""
        inventory = await self._owned.recover()
        for taken in inventory.taken:
            await self._rate(taken, keep=taken.target in inventory.owned)
        wanted = rating_rules.names(config.playlist_prefix) if config.playlists else []
        for name in sorted(inventory.owned - set(wanted)):
            await self._rate(await self._owned.take_away(name), keep=False)
            await self._owned.forget(name)
        await self._create_missing(wanted, inventory)
        # By time, so that of two ratings of a song the last one counts.
        kept = inventory.owned & set(wanted)
        for _, name in sorted((inventory.modified.get(name, ""), name) for name in kept):
            if await self._has_known_songs(name):
                await self._rate(await self._owned.take(name), keep=True)

    async def _create_missing(self, wanted: Sequence[str], inventory: Inventory) -> None:
        for name in wanted:
            if name in inventory.owned:
                continue
            if name not in inventory.modified and await self._owned.create(name):
                self._not_ours.discard(name)
            elif name not in self._not_ours:
                self._not_ours.add(name)
                log.warning(
                    "the playlist %r was not created by the daemon, so songs that are added to it "
                    "are not rated: rename or remove it, or change ratings.playlist_prefix",
                    name,
                )

    async def _has_known_songs(self, name: str) -> bool:
        songs = await self._playlists.songs(name) or []
        if not songs:
            return False
        if isinstance(rating_rules.action(name), Undo):
            return True
        known = [await self._track(song) is not None for song in songs]
        entries = zip(songs, known, strict=True)
        self._report_unknown(name, [song for song, is_known in entries if not is_known])
        return any(known)

    async def _rate(self, taken: CreatedPlaylist, *, keep: bool) -> None:
        """Rate the songs of a playlist that was taken, and remove it.

        Songs that are not in the library go back into the playlist. With `keep`, there is one in
        the end in any case.
        """
        songs = await self._playlists.songs(taken.name)
        if songs is None:  # it was not renamed, or is removed already
            await self._owned.forget(taken.name)
            return
        unknown = await self._apply(rating_rules.action(taken.target), songs, taken.name)
        refused = await self._playlists.append(taken.target, [songs[index] for index in unknown])
        if refused:  # MPD does not have them either, so that only this playlist can hold them
            left = {unknown[index] for index in refused}
            await self._playlists.delete(taken.name, set(range(len(songs))) - left)
            self._report_unknown(taken.name, [songs[index] for index in left])
            if keep and await self._playlists.songs(taken.target) is None:
                await self._owned.create(taken.target)
            return
        if keep and await self._playlists.empty_and_rename(taken.name, taken.target):
            await self._owned.forget(taken.name)
            return
        await self._owned.remove(taken.name)

    async def _apply(self, action: Action, songs: Sequence[str], name: str) -> list[int]:
        """Rate songs; return the indices of those that are not in the library."""
        requests = list(_request_ids(songs, name))
        if isinstance(action, Undo):
            for request_id in requests:
                with contextlib.suppress(NothingToUndo):
                    await self._ratings.undo(source=SOURCE, request_id=request_id)
            return []
        tracks = [await self._track(song) for song in songs]
        entries = zip(tracks, requests, strict=True)
        known = [(track_id, request) for track_id, request in entries if track_id is not None]
        for batch in batched(known, RATINGS_AT_ONCE):
            results = await asyncio.gather(
                *(self._change(action, track_id, request_id) for track_id, request_id in batch),
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
        return [index for index, track_id in enumerate(tracks) if track_id is None]

    async def _change(self, action: Rate | Clear, track_id: TrackId, request_id: str) -> None:
        if isinstance(action, Rate):
            await self._ratings.rate(track_id, action.value, source=SOURCE, request_id=request_id)
        else:
            await self._ratings.clear(track_id, source=SOURCE, request_id=request_id)

    async def _track(self, song: str) -> TrackId | None:
        return await self._tracks.get(self._player.uri(song))

    def _report_unknown(self, name: str, songs: Sequence[str]) -> None:
        new = [song for song in dict.fromkeys(songs) if song not in self._unknown]
        self._unknown.update(new)
        if new:
            shown = ", ".join(map(repr, new[:MAX_NAMED_SONGS]))
            more = f" and {len(new) - MAX_NAMED_SONGS} more" if len(new) > MAX_NAMED_SONGS else ""
            log.warning(
                "songs in the playlist %r are not in the library, so they stay there: %s%s",
                name, shown, more,
            )  # fmt: skip


def _request_ids(songs: Sequence[str], name: str) -> Iterator[str]:
    """Yield an id for each entry, which does not depend on the other songs in the playlist."""
    count: Counter[str] = Counter()
    for song in songs:
        count[song] += 1
        yield f"playlist {name} {count[song]} {song}"
