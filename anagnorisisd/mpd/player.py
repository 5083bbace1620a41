"""MPD as the port `Player`: reconnects by itself, and answers in the nouns of the domain."""

import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

from anagnorisisd.clock import Clock
from anagnorisisd.config.schema import Mpd
from anagnorisisd.domain.player import PlayerLink, PlayerState, QueueEntry, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import (
    PlayerFull,
    PlayerRefused,
    PlayerUnavailable,
    UnknownToPlayer,
)
from anagnorisisd.mpd import address, stickers, translate
from anagnorisisd.mpd.connection import BUSY, FULL, GONE, Connection, Refused
from anagnorisisd.mpd.session import Session, open_first

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
QUEUE_FULL = "MPD's queue is full: max_playlist_length in mpd.conf says how much it holds"

TRIES = 5
"""How often a reading that fell apart because something changed meanwhile is repeated."""


class MpdPlayer:
    """The listener's MPD. `changes` keeps the link up; without it every call is unavailable.

    `library` is the music directory as this computer sees it. Messages are read from `channel`
    and answered on `channel-reply`; an empty name switches both off.
    """

    def __init__(self, config: Mpd, library: Path, channel: str, clock: Clock) -> None:
        self._config = config
        self._library = library
        self._channel = channel
        self._clock = clock
        self._addresses = address.candidates(config.address, os.environ)
        self._session: Session | None = None
        self._sessions = 0
        self._reason: str | None = "not connected yet"
        self._warned: tuple[str, ...] = ()

    def link(self) -> PlayerLink:
        """Return how the connection stands; never blocks."""
        session = self._session
        if session is None:
            return PlayerLink(False, str(self._addresses[0]), reason=self._reason)
        return PlayerLink(
            connected=True,
            address=str(session.address),
            server_version=session.commands.version,
            music_directory=session.music_directory,
            missing_features=session.lacking,
            session=self._sessions,
        )

    async def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield the names of the subsystems that changed; see the port."""
        pause, said, known_lost = FIRST_PAUSE_SECONDS, "", False
        try:
            while True:
                try:
                    session = await self._connect()
                    pause, said, known_lost = FIRST_PAUSE_SECONDS, "", False
                    yield frozenset({"connected"})
                    async with aclosing(session.waiting.changes()) as changes:
                        async for changed in changes:
                            yield changed
                except (PlayerUnavailable, PlayerRefused) as error:
                    self._lose(str(error))
                    if str(error) != said:
                        said = str(error)
                        log.warning("no link to MPD, trying again: %s", error)
                if not known_lost:
                    known_lost = True
                    yield frozenset({"lost"})
                await self._clock.sleep(pause)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
        finally:
            self._lose("not connected any more")

    async def _connect(self) -> Session:
        session = await open_first(self._addresses, self._config, self._library, self._channel)
        self._session = session
        self._sessions += 1
        log.info("connected to MPD %s at %s", session.commands.version, session.address)
        for remedy in session.lacking:
            if remedy not in self._warned:
                log.warning("%s", remedy)
        self._warned = session.lacking
        return session

    def _lose(self, reason: str) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._reason = None, reason

    def _live(self) -> Session:
        if self._session is None:
            raise PlayerUnavailable(f"MPD is away: {self._reason}")
        return self._session

    @property
    def _commands(self) -> Connection:
        return self._live().commands

    def _name(self, uri: Uri) -> str:
        name = self._live().uris.to_mpd(uri)
        if name is None:
            raise PlayerRefused(f"{uri!r} lies outside MPD's music directory")
        return name

    async def state(self) -> PlayerState:
        """Return status and current song, read in one go."""
        for _ in range(TRIES):
            asked_at = self._clock.monotonic()
            status = await self._commands.call("status")
            taken_at = self._clock.monotonic()
            song_id = translate.song_id(status)
            uri = None if song_id is None else await self.uri_of(song_id)
            if song_id is None or uri is not None:
                return translate.player_state(status, uri, taken_at, taken_at - asked_at)
        raise PlayerUnavailable("MPD changes songs faster than they can be read")

    async def queue(self) -> Sequence[QueueEntry]:
        """Return the whole queue in order; only what has changed is read anew."""
        return await self._live().queue.read()

    async def uri_of(self, song_id: SongId) -> Uri | None:
        """Return the file of a queue entry, or `None` when there is no such entry."""
        try:
            rows = await self._commands.rows("playlistid", song_id)
        except Refused as error:
            if error.code is GONE:
                return None
            raise
        names = [translate.required(row, "file", str) for row in rows]
        return self.uri(names[0]) if names else None

    def uri(self, name: str) -> Uri:
        """Return the library's uri of what MPD and its clients call `name`."""
        return self._live().uris.to_library(name)

    async def enqueue(self, uri: Uri) -> SongId:
        """Append a file to the end of the queue and return its entry's id."""
        try:
            answer = await self._commands.call("addid", self._name(uri))
        except Refused as error:
            if error.code is FULL:
                raise PlayerFull(QUEUE_FULL) from error
            if error.code is GONE:
                raise UnknownToPlayer(str(error)) from error
            raise
        return SongId(translate.required({"id": answer}, "id", int))

    async def remove(self, song_id: SongId) -> None:
        """Remove one entry; one that is gone already is not an error."""
        await self._unless_gone("deleteid", song_id)

    async def skip(self) -> None:
        """Go on to the next song."""
        await self._commands.call("next")

    async def play(self) -> None:
        """Start playback."""
        await self._commands.call("play")

    async def update(self, uri: Uri) -> None:
        """Ask MPD to look at one path again; when its list of such wishes is full, it is not."""
        try:
            await self._commands.call("update", self._name(uri))
        except Refused as error:
            if error.code is not BUSY:
                raise

    async def has(self, uri: Uri) -> bool:
        """Return whether MPD's database has a file."""
        return bool(await self._commands.rows("find", "file", self._name(uri)))

    async def stickers(self, name: str) -> dict[Uri, str]:
        """Return the stickers of that name of all songs; empty where there are none."""
        found = await stickers.find(self._commands, name)
        return {self.uri(file): value for file, value in found.items()}

    async def sticker(self, uri: Uri, name: str) -> str | None:
        """Return one song's sticker."""
        return await stickers.get(self._commands, self._name(uri), name)

    async def set_sticker(self, uri: Uri, name: str, value: str | None) -> None:
        """Write a sticker; `None` deletes it, and one that is gone already is not an error."""
        if value is None:
            await self._unless_gone("sticker delete", "song", self._name(uri), name)
        else:
            await self._commands.call("sticker set", "song", self._name(uri), name, value)

    async def messages(self) -> Sequence[str]:
        """Return and forget the messages waiting on our channel."""
        if not self._live().subscribed:
            return []
        rows = await self._live().waiting.rows("readmessages")
        return [translate.required(row, "message", str) for row in rows]

    async def reply(self, text: str) -> None:
        """Send a line to `channel-reply`; nobody listening there is not an error."""
        line = " ".join(text.splitlines())
        await self._unless_gone("sendmessage", f"{self._channel}-reply", line)

    async def _unless_gone(self, command: str, *args: object) -> None:
        try:
            await self._commands.call(command, *args)
        except Refused as error:
            if error.code is not GONE:
                raise
