"""Published playlists: what the daemon thinks of the library, for clients that only show playlists.

They are written after an evaluator was promoted and at the time of the nightly training. A playlist
is replaced in one step, and only if its content changed.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import InvalidValue, PlayerRefused, PlayerUnavailable, PreconditionFailed
from anagnorisisd.events import EvaluatorPromoted, Events
from anagnorisisd.listening.player_monitor import ChangeConsumer
from anagnorisisd.mpd.playlists import StoredPlaylists
from anagnorisisd.playlists import selections
from anagnorisisd.playlists.owned_playlists import Inventory, OwnedPlaylists
from anagnorisisd.playlists.selections import Selection
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.playlists import PlaylistKind, PlaylistStore

log = logging.getLogger(__name__)

CHECK_SECONDS = 3600.0
"""The nightly time is compared with the wall clock this often, which may be set."""

MAX_WAIT_SECONDS = 2 * 86_400.0
"""A longer wait for the night means that the clock was set back."""

Suggest = Callable[[int], Awaitable[Sequence[TrackId]]]
"""Returns so many unrated tracks whose ratings would improve predictions most, best first."""

WithTag = Callable[[str], Awaitable[Sequence[TrackId]]]
"""Returns the tracks that have a sound tag."""


class PlaylistPublisher:
    """Writes the playlists that `picks.playlists` names.

    `next_night` returns the nightly time after a time; both are unix seconds.
    """

    def __init__(
        self,
        *,
        player: Player,
        playlists: StoredPlaylists,
        store: PlaylistStore,
        library: LibraryStore,
        suggest: Suggest,
        with_tag: WithTag,
        events: Events,
        clock: Clock,
        next_night: Callable[[float], float],
        config: schema.Picks,
    ) -> None:
        self._player = player
        self._playlists = playlists
        self._owned = OwnedPlaylists(player, playlists, store, PlaylistKind.PUBLISHED)
        self._library = library
        self._suggest = suggest
        self._with_tag = with_tag
        self._events = events
        self._clock = clock
        self._config = config
        self._consumer = ChangeConsumer("Publishing playlists", self._step, clock)
        self._next_night = next_night
        self._due_at = -math.inf
        self._reported: set[str] = set()

    def reconfigure(self, config: schema.Picks) -> None:
        """Apply a changed configuration."""
        self._config = config
        self._request()

    def notice(self, changed: frozenset[str]) -> None:
        """Take note of changes in MPD, by the names of its subsystems, without waiting."""
        if "connected" in changed:
            self._request()

    async def run(self) -> None:
        """Publish when due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._consumer.run())
            tasks.create_task(self._watch_trainings())
            self._request()

    async def _watch_trainings(self) -> None:
        with self._events.subscribe() as announcements:
            async for announcement in announcements:
                if announcement.missed or isinstance(announcement.event, EvaluatorPromoted):
                    self._request()

    def _request(self) -> None:
        """Publish as soon as possible."""
        self._due_at = -math.inf
        self._consumer.wake()

    async def _step(self, changed: frozenset[str]) -> float:
        if not self._player.link().connected:
            return math.inf
        if not 0 < self._due_at - self._clock.now() < MAX_WAIT_SECONDS:
            self._due_at = self._next_night(self._clock.now())
            if not await self._try_to_publish():
                self._due_at = -math.inf
                return math.inf
        left = max(0.0, self._due_at - self._clock.now())
        return min(left, CHECK_SECONDS) if self._config.playlists else math.inf

    async def _try_to_publish(self) -> bool:
        """Publish; return false if the connection was lost."""
        try:
            await self.publish()
        except PlayerUnavailable:  # logged elsewhere; it goes on after the reconnection
            return False
        except PlayerRefused as error:
            self._report(
                "cannot publish playlists; check playlist_directory in mpd.conf and the permission "
                "'control'",
                str(error),
            )
        return True

    async def publish(self) -> None:
        """Write the playlists whose content changed, and remove those that are not wanted."""
        inventory = await self._owned.recover()
        prefix = self._config.playlist_prefix
        wanted = {
            f"{prefix} {selection.name}": selection
            for selection in map(Selection.parse, self._config.playlists)
        }
        for name in sorted(inventory.owned - wanted.keys()):
            await self._owned.remove(name)
        if not wanted:
            return
        candidates = await self._library.candidates(
            self._config.exclude_folders, self._config.exclude_genres
        )
        for name, selection in wanted.items():
            track_ids = await self._select(selection, candidates)
            if track_ids is not None:
                await self._publish(name, track_ids, inventory)

    async def _publish(self, name: str, track_ids: Sequence[TrackId], inventory: Inventory) -> None:
        if name not in inventory.owned and name in inventory.modified:
            self._report(
                f"the playlist {name!r} was not created by the daemon, so it stays as it is"
            )
            return
        before = await self._playlists.songs(name) or []
        at = await self._library.uris(track_ids)
        uris = [at[track_id] for track_id in track_ids if track_id in at]
        songs = await self._known(uris, {self._player.uri(song) for song in before})
        if name not in inventory.owned:
            await self._owned.create(name, songs)
        elif songs != [self._player.uri(song) for song in before]:
            await self._owned.replace(name, songs)

    async def _known(self, uris: Sequence[Uri], before: set[Uri]) -> list[Uri]:
        """Return those of `uris` that MPD has; it has those that it showed `before`."""
        return [uri for uri in uris if uri in before or await self._has(uri)]

    async def _has(self, uri: Uri) -> bool:
        try:
            return await self._player.has(uri)
        except PlayerRefused:  # outside MPD's music directory
            return False

    async def _select(
        self, selection: Selection, candidates: Candidates
    ) -> Sequence[TrackId] | None:
        """Return the tracks of a playlist; `None` if they cannot be told now."""
        if selection.name == selections.TO_RATE:
            try:
                return await self._suggest(selection.length)
            except PreconditionFailed:  # all are rated
                return []
        try:
            tagged = await self._with_tag(selection.tag) if selection.tag is not None else ()
        except PreconditionFailed as error:
            log.debug("playlist %s: %s", selection.name, error)
            return None
        except InvalidValue as error:
            self._report(f"picks.playlists: {selection.name!r}: {error}")
            return None
        now = self._clock.now()
        added_at: Mapping[TrackId, float] = {}
        if selection.name == selections.NEW:
            after = now - selections.NEW_DAYS * selections.DAY_SECONDS
            added_at = await self._library.added_since(after)
        return selections.select(selection, candidates, now, added_at=added_at, tagged=tagged)

    def _report(self, text: str, detail: str = "") -> None:
        if text not in self._reported:
            self._reported.add(text)
            log.warning("%s%s", text, f": {detail}" if detail else "")
