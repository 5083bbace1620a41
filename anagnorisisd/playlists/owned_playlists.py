"""Playlists that the daemon created and recorded; it changes no others.

A playlist is written under a temporary name and then renamed, which MPD refuses if the name is in
use. Every temporary name is recorded before it is used. So whenever the daemon or MPD stops,
the next start knows which playlists are whose:

| recorded state | temporary playlist | its target | meaning                                       |
|----------------|--------------------|------------|-----------------------------------------------|
| new            | any                | any        | it was not complete: remove it                |
| ready          | exists             | any        | it was not renamed: remove it                 |
| ready          | does not exist     | exists     | it was renamed: the daemon owns the target    |
| ready          | does not exist     | none       | somebody removed both                         |
| taken          | any                | any        | its songs may not have been read: read it now |
"""

import secrets
from collections.abc import Sequence, Set
from dataclasses import dataclass

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import Uri
from anagnorisisd.mpd.playlists import StoredPlaylists
from anagnorisisd.storage.playlists import (
    CreatedPlaylist,
    PlaylistKind,
    PlaylistState,
    PlaylistStore,
)


@dataclass(frozen=True, slots=True)
class Inventory:
    """The daemon's playlists, and when each playlist of MPD was changed last, in ISO 8601."""

    owned: Set[str]
    taken: Sequence[CreatedPlaylist]
    modified: dict[str, str]


class OwnedPlaylists:
    """Creates, replaces and removes the daemon's playlists of one kind.

    Every method raises `PlayerUnavailable`, `PlayerRefused` or `StoreError`; `recover` then
    completes or reverts what was done. It has to be called first after each connection.
    """

    def __init__(
        self,
        player: Player,
        playlists: StoredPlaylists,
        store: PlaylistStore,
        kind: PlaylistKind,
    ) -> None:
        self._player = player
        self._playlists = playlists
        self._store = store
        self._kind = kind
        self._server = ""

    async def recover(self) -> Inventory:
        """Complete or revert interrupted changes, and return what there is.

        Owned playlists that somebody removed or renamed are no longer owned.
        """
        self._server = self._player.link().address
        recorded = await self._store.created(self._server, self._kind)
        modified = await self._playlists.modified()
        owned = {entry.name for entry in recorded if entry.state is PlaylistState.OWNED}
        new = [entry for entry in recorded if entry.state is PlaylistState.NEW]
        ready = [entry for entry in recorded if entry.state is PlaylistState.READY]
        for entry in [*new, *(entry for entry in ready if entry.name in modified)]:
            await self.remove(entry.name)
        for entry in ready:
            if entry.name not in modified and entry.target in modified:
                await self._own(entry)
                owned.add(entry.target)
            elif entry.name not in modified:
                await self.forget(entry.name)
        taken = [entry for entry in recorded if entry.state is PlaylistState.TAKEN]
        # One that is being read may be missing under its own name.
        lost = owned - modified.keys() - {entry.target for entry in taken}
        if lost:
            await self.forget(*lost)
        return Inventory(owned - lost, taken, modified)

    async def create(self, name: str, uris: Sequence[Uri] = ()) -> bool:
        """Create a playlist; return whether the name was free."""
        entry = await self._write(name, uris)
        await self._put(CreatedPlaylist(entry.name, PlaylistState.READY, name))
        if not await self._playlists.rename(entry.name, name):
            await self.remove(entry.name)
            return False
        await self._own(entry)
        return True

    async def replace(self, name: str, uris: Sequence[Uri]) -> None:
        """Replace the content of an owned playlist in one step."""
        entry = await self._write(name, uris)
        await self._playlists.replace(name, entry.name)
        await self.forget(entry.name)

    async def take(self, name: str) -> CreatedPlaylist:
        """Rename an owned playlist, so that no client changes it, and put an empty one there."""
        taken = CreatedPlaylist(_temporary(name), PlaylistState.TAKEN, name)
        empty = CreatedPlaylist(_temporary(name), PlaylistState.NEW, name)
        await self._put(taken, empty)
        await self._playlists.exchange(name, taken.name, empty.name)
        await self.forget(empty.name)
        return taken

    async def take_away(self, name: str) -> CreatedPlaylist:
        """Rename an owned playlist, so that no client changes it; put none there."""
        taken = CreatedPlaylist(_temporary(name), PlaylistState.TAKEN, name)
        await self._put(taken)
        await self._playlists.rename(name, taken.name)
        return taken

    async def remove(self, name: str) -> None:
        """Remove a playlist of the daemon."""
        await self._playlists.remove(name)
        await self.forget(name)

    async def forget(self, *names: str) -> None:
        """Forget playlists of the daemon that do not exist any more, or are the listener's now."""
        await self._store.change(self._server, self._kind, forget=names)

    async def _write(self, name: str, uris: Sequence[Uri]) -> CreatedPlaylist:
        entry = CreatedPlaylist(_temporary(name), PlaylistState.NEW, name)
        await self._put(entry)
        await self._playlists.create(entry.name, uris)
        return entry

    async def _own(self, entry: CreatedPlaylist) -> None:
        owned = CreatedPlaylist(entry.target, PlaylistState.OWNED, entry.target)
        await self._store.change(self._server, self._kind, put=[owned], forget=[entry.name])

    async def _put(self, *entries: CreatedPlaylist) -> None:
        await self._store.change(self._server, self._kind, put=entries)


def _temporary(name: str) -> str:
    return f"{name} ({secrets.token_hex(4)})"
