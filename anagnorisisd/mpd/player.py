"""The player of the daemon: MPD, as `domain.player.Player` describes it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

from anagnorisisd.clock import Clock
from anagnorisisd.config.schema import Mpd
from anagnorisisd.domain.player import PlayerLink, PlayerSong, PlayerState, QueueEntry, SongId
from anagnorisisd.domain.track import FileStamp, Uri
from anagnorisisd.errors import PlayerFull, PlayerRefused, PlayerUnavailable, UnknownToPlayer
from anagnorisisd.mpd import response_parser, song_metadata, stickers
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.errors import NOT_FOUND, QUEUE_FULL, UPDATE_QUEUE_FULL, CommandRefused
from anagnorisisd.mpd.playlists import StoredPlaylists
from anagnorisisd.mpd.reconnection import ReconnectingSession
from anagnorisisd.mpd.session import is_at_least
from anagnorisisd.mpd.song_listing import song_names

FULL_MESSAGE = "MPD's queue is full: max_playlist_length in mpd.conf limits it"

HIGHEST_PRIORITY = 255
RELATIVE_POSITION_VERSION = (0, 23)
"""Since this version of the protocol, `addid` takes positions relative to the current song."""

MAX_READS = 5
"""How often the state is read again when the song changed while it was read."""


class MpdPlayer:
    """The listener's MPD. `changes` keeps it connected; without it every call is unavailable.

    `library` is the music directory as this computer sees it, `None` if the library has MPD's URIs.
    Messages are received from `channel` and answered on `channel-reply`, unless it is empty.
    """

    def __init__(self, config: Mpd, library: Path | None, channel: str, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._session = ReconnectingSession(config, library, channel, clock)
        self.playlists = StoredPlaylists(self._session)

    def link(self) -> PlayerLink:
        """Return the state of the connection; never blocks."""
        return self._session.link()

    def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield the names of the subsystems that changed; see `Player.changes`."""
        return self._session.changes()

    @property
    def _commands(self) -> Connection:
        return self._session.current().commands

    def _mpd_uri(self, uri: Uri) -> str:
        """Return MPD's URI of a file of the library."""
        found = self._session.current().uris.to_mpd(uri)
        if found is None:
            raise PlayerRefused(f"{uri!r} is outside MPD's music directory")
        return found

    async def state(self) -> PlayerState:
        """Return status and current song, read together."""
        for _ in range(MAX_READS):
            asked_at = self._clock.monotonic()
            status = await self._commands.call("status")
            taken_at = self._clock.monotonic()
            song_id = response_parser.song_id(status)
            uri = None if song_id is None else await self.uri_of(song_id)
            if song_id is None or uri is not None:
                return response_parser.player_state(status, uri, taken_at, taken_at - asked_at)
        raise PlayerUnavailable("MPD changes songs faster than they can be read")

    async def queue(self) -> Sequence[QueueEntry]:
        """Return the whole queue in order; only what changed is read again."""
        return await self._session.current().queue.read()

    async def uri_of(self, song_id: SongId) -> Uri | None:
        """Return the file of a queue entry, or `None` if there is no such entry."""
        try:
            rows = await self._commands.rows("playlistid", song_id)
        except CommandRefused as error:
            if error.code is NOT_FOUND:
                return None
            raise
        names = [response_parser.song_name(row) for row in rows]
        return self.uri(names[0]) if names else None

    def uri(self, name: str) -> Uri:
        """Return the library's URI of a song with the URI `name` in MPD."""
        return self._session.current().uris.to_library(name)

    async def enqueue(self, uri: Uri) -> SongId:
        """Append a file to the end of the queue and return its entry's id."""
        return await self._add(uri)

    async def enqueue_next(self, uri: Uri) -> SongId:
        """Insert a file after the current song and return its entry's id."""
        status = await self._commands.call("status")
        song_id = await self._add(uri, self._position_after(response_parser.position(status)))
        if response_parser.is_random(status):
            await self._call_unless_missing("prioid", HIGHEST_PRIORITY, song_id)
        return song_id

    def _position_after(self, current: int | None) -> str:
        """Return the argument of `addid` for the position after the current song."""
        if current is None:
            return "0"
        # "+0" is relative to the song that is current when MPD executes the command.
        relative = is_at_least(self._commands.version, RELATIVE_POSITION_VERSION)
        return "+0" if relative else str(current + 1)

    async def _add(self, uri: Uri, *position: str) -> SongId:
        try:
            response = await self._commands.call("addid", self._mpd_uri(uri), *position)
        except CommandRefused as error:
            if error.code is QUEUE_FULL:
                raise PlayerFull(FULL_MESSAGE) from error
            if error.code is NOT_FOUND:
                raise UnknownToPlayer(str(error)) from error
            raise
        return SongId(response_parser.required({"id": response}, "id", int))

    async def remove(self, song_id: SongId) -> None:
        """Remove one entry, if it exists."""
        await self._call_unless_missing("deleteid", song_id)

    async def skip(self) -> None:
        """Go to the next song."""
        await self._commands.call("next")

    async def previous(self) -> None:
        """Go to the song before, or to the beginning of the first one."""
        await self._commands.call("previous")

    async def go_to(self, song_id: SongId) -> None:
        """Play one entry, if it exists."""
        await self._call_unless_missing("playid", song_id)

    async def play(self) -> None:
        """Start or resume playback."""
        await self._commands.call("play")

    async def pause(self) -> None:
        """Pause, unless playback is stopped."""
        await self._commands.call("pause", 1)

    async def update(self, uri: Uri) -> None:
        """Ask MPD to update one path in its database, unless its queue of updates is full."""
        try:
            await self._commands.call("update", self._mpd_uri(uri))
        except CommandRefused as error:
            if error.code is not UPDATE_QUEUE_FULL:
                raise

    async def has(self, uri: Uri) -> bool:
        """Return whether MPD's database has a file."""
        return bool(await self._commands.rows("find", "file", self._mpd_uri(uri)))

    async def track_number(self, uri: Uri) -> tuple[int, int] | None:
        """Return the numbers of disc and track in a file's tags, if it has a track number."""
        rows = await self._commands.rows("find", "file", self._mpd_uri(uri))
        return response_parser.track_number(rows[0]) if rows else None

    async def songs(self) -> AsyncIterator[Sequence[Uri]]:
        """Yield the files of all songs that MPD can play, in several parts.

        It lists the tracks of a cue sheet in its music directory itself, but fails to play them.
        """
        session = self._session.current()
        async for names in song_names(session.connect):
            yield [
                session.uris.to_library(name)
                for name in names
                if not (name.count("/") == 1 and response_parser.CUE_TRACK.search(name))
            ]

    async def stamps(self) -> AsyncIterator[Sequence[tuple[Uri, FileStamp]]]:
        """Yield all songs in MPD's database with their stamps, in several parts."""
        session = self._session.current()

        def stamped(page: Sequence[bytes]) -> list[tuple[Uri, FileStamp]]:
            names = map(song_metadata.name_of, page)
            uris = map(session.uris.to_library, names)
            return list(zip(uris, map(song_metadata.stamp_of, page), strict=True))

        async for page in song_metadata.song_texts(session.connect):
            yield await asyncio.to_thread(stamped, page)

    async def metadata(self, uris: Collection[Uri]) -> AsyncIterator[Sequence[PlayerSong]]:
        """Yield those of the songs `uris` that MPD's database has, in several parts."""
        session = self._session.current()

        def parsed(page: Sequence[bytes]) -> list[PlayerSong]:
            named = ((session.uris.to_library(song_metadata.name_of(text)), text) for text in page)
            return [song_metadata.parse(text, uri) for uri, text in named if uri in wanted]

        wanted = frozenset(uris)
        async for page in song_metadata.song_texts(session.connect):
            yield await asyncio.to_thread(parsed, page)

    async def formats(self) -> frozenset[str]:
        """Return the file name extensions that MPD can decode; empty if it does not tell."""
        try:
            return response_parser.suffixes(await self._commands.rows("decoders"))
        except CommandRefused:
            return frozenset()

    async def stickers(self, name: str) -> dict[Uri, str]:
        """Return the stickers of that name of all songs; empty if there are none."""
        found = await stickers.find(self._commands, name)
        return {self.uri(file): value for file, value in found.items()}

    async def sticker(self, uri: Uri, name: str) -> str | None:
        """Return one song's sticker."""
        return await stickers.get(self._commands, self._mpd_uri(uri), name)

    async def set_sticker(self, uri: Uri, name: str, value: str | None) -> None:
        """Write a sticker; `None` deletes it, if it exists."""
        await stickers.put(self._commands, self._mpd_uri(uri), name, value)

    async def messages(self) -> Sequence[str]:
        """Return and remove the messages waiting on our channel."""
        session = self._session.current()
        if not session.subscribed:
            return []
        rows = await session.idle.rows("readmessages")
        return [response_parser.required(row, "message", str) for row in rows]

    async def reply(self, text: str) -> None:
        """Send a line to `channel-reply`, if anyone listens there."""
        line = " ".join(text.splitlines())
        await self._call_unless_missing("sendmessage", f"{self._channel}-reply", line)

    async def _call_unless_missing(self, command: str, *args: object) -> None:
        """Send a command; that its object does not exist is not an error."""
        try:
            await self._commands.call(command, *args)
        except CommandRefused as error:
            if error.code is not NOT_FOUND:
                raise
