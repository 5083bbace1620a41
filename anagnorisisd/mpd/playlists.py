"""The playlists that MPD stores (`playlist_directory` in mpd.conf), which every client shows.

MPD executes a command list without executing commands of other clients in between. So a playlist is
exchanged for another one in one step, and nothing that a client adds is lost.
"""

from collections.abc import Collection, Iterator, Sequence

from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused
from anagnorisisd.mpd import response_parser
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.errors import EXISTS, NOT_FOUND, CommandRefused
from anagnorisisd.mpd.reconnection import ReconnectingSession

COMMANDS_AT_ONCE = 200
"""In one command list; MPD accepts 2 MiB, and other clients wait meanwhile."""


class StoredPlaylists:
    """Reads and changes stored playlists.

    Songs are named as MPD does. Every method raises `PlayerUnavailable` if MPD is not connected,
    and `PlayerRefused` if it does not permit or cannot do it.
    """

    def __init__(self, session: ReconnectingSession) -> None:
        self._session = session

    @property
    def _commands(self) -> Connection:
        return self._session.current().commands

    async def modified(self) -> dict[str, str]:
        """Return when each playlist was changed last, in ISO 8601, by its name."""
        rows = await self._commands.rows("listplaylists")
        return {
            response_parser.required(row, "playlist", str): str(row.get("last-modified", ""))
            for row in rows
        }

    async def songs(self, name: str) -> list[str] | None:
        """Return the songs of a playlist in order; `None` if there is no such playlist."""
        try:
            return [str(song) for song in await self._commands.call("listplaylist", name)]
        except CommandRefused as error:
            if error.code is not NOT_FOUND:
                raise
        return None

    async def create(self, name: str, uris: Sequence[Uri] = ()) -> None:
        """Create a playlist with the songs of the library at `uris`, in this order.

        Songs that MPD does not have are left out.
        """
        # The queue is saved, as MPD has no command to create an empty playlist.
        await self._commands.call_list(("save", name), ("playlistclear", name))
        to_mpd = self._session.current().uris.to_mpd
        await self.append(name, [song for song in map(to_mpd, uris) if song is not None])

    async def append(self, name: str, songs: Sequence[str]) -> list[int]:
        """Append songs; return the indices of those that MPD does not have."""
        refused: list[int] = []
        start = 0
        while start < len(songs):
            batch = songs[start : start + COMMANDS_AT_ONCE]
            try:
                await self._commands.call_list(*(("playlistadd", name, song) for song in batch))
                start += len(batch)
            except CommandRefused as error:
                if error.code is not NOT_FOUND or error.index is None:
                    raise
                refused.append(start + error.index)
                start += error.index + 1
        return refused

    async def rename(self, name: str, new_name: str) -> bool:
        """Rename a playlist; return whether it existed and the new name was free."""
        try:
            await self._commands.call("rename", name, new_name)
        except CommandRefused as error:
            if error.code not in (NOT_FOUND, EXISTS):
                raise
            return False
        return True

    async def exchange(self, name: str, new_name: str, empty: str) -> None:
        """Rename a playlist and create an empty one in its place, in one step.

        `empty` is a free name. Where the disk is too full for an empty playlist, there is none in
        the end.
        """
        renamed = ("rename", name, new_name)
        try:
            await self._commands.call_list(
                ("save", empty), ("playlistclear", empty), renamed, ("rename", empty, name)
            )
        except PlayerRefused:
            await self.remove(empty)
            await self._commands.call_list(renamed)

    async def empty_and_rename(self, name: str, new_name: str) -> bool:
        """Empty a playlist and rename it; return whether the new name was free."""
        try:
            await self._commands.call_list(("playlistclear", name), ("rename", name, new_name))
        except CommandRefused as error:
            if error.code not in (NOT_FOUND, EXISTS):
                raise
            return False
        return True

    async def replace(self, name: str, by: str) -> None:
        """Remove a playlist and rename another one to its name, in one step."""
        await self._commands.call_list(("rm", name), ("rename", by, name))

    async def delete(self, name: str, positions: Collection[int]) -> None:
        """Delete entries of a playlist that no other client changes."""
        for batch in _batches(sorted(positions, reverse=True)):
            await self._commands.call_list(
                *(("playlistdelete", name, str(position)) for position in batch)
            )

    async def remove(self, name: str) -> None:
        """Remove a playlist, if it exists."""
        try:
            await self._commands.call("rm", name)
        except CommandRefused as error:
            if error.code is not NOT_FOUND:
                raise


def _batches(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(positions), COMMANDS_AT_ONCE):
        yield positions[start : start + COMMANDS_AT_ONCE]
