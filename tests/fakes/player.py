"""A small working player: a queue that plays when its clock is moved."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from anagnorisisd.clock import Clock
from anagnorisisd.domain.player import (
    Mode,
    PlaybackState,
    PlayerLink,
    PlayerSong,
    PlayerState,
    QueueEntry,
    SongId,
)
from anagnorisisd.domain.track import FileStamp, Tags, Uri
from anagnorisisd.errors import (
    PlayerFull,
    PlayerRefused,
    PlayerUnavailable,
    PlayerUpdating,
    UnknownToPlayer,
)


@dataclass
class _Entry:
    song_id: SongId
    uri: Uri
    priority: int = 0


class FakePlayer:
    """Knows the files of `database` (uri to seconds), and what the listener does with them.

    Besides the port it offers what a listener's client would do: `add`, `stop`,
    `jump`, `move`, `seek`, `clear`, `send`, and what can befall a player: `vanish` and `come_back`.
    """

    def __init__(self, clock: Clock, database: dict[str, float] | None = None) -> None:
        self.database = {Uri(uri): seconds for uri, seconds in (database or {}).items()}
        self.tags: dict[Uri, Tags] = {}
        self.updating = False
        """Whether the database cannot be read, and `refused_reads` how often that was tried."""
        self.refused_reads = 0
        self.address = "fake"
        self.track_numbers: dict[Uri, tuple[int, int]] = {}
        self.updates: list[Uri] = []
        self.capacity = 16_384
        self.replies: list[str] = []
        self.modes = PlayerState(taken_at=0.0, playback_state=PlaybackState.STOP)
        self._clock = clock
        self._connected = True
        self._session = 1
        self._entries: list[_Entry] = []
        self._ids = 0
        self._version = 1
        self._current: SongId | None = None
        self._playback_state = PlaybackState.STOP
        self._elapsed = 0.0
        self._counted_at = clock.monotonic()
        self._stickers: dict[tuple[Uri, str], str] = {}
        self._messages: list[str] = []
        self._waiting: set[asyncio.Queue[frozenset[str]]] = set()

    # The port.

    def link(self) -> PlayerLink:
        """Return how the connection stands."""
        if self._connected:
            return PlayerLink(
                True,
                self.address,
                protocol_version="0.0",
                music_directory="/music",
                session=self._session,
            )
        return PlayerLink(False, self.address, reason="it went away")

    async def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield what changed, `connected` first."""
        changes: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        changes.put_nowait(frozenset({"connected" if self._connected else "lost"}))
        self._waiting.add(changes)
        try:
            while True:
                yield await changes.get()
        finally:
            self._waiting.discard(changes)

    async def state(self) -> PlayerState:
        """Return the state at this moment."""
        self._meet()
        position = self._position(self._current)
        entry = None if position is None else self._entries[position]
        stopped = self._playback_state is PlaybackState.STOP or entry is None
        return replace(
            self.modes,
            taken_at=self._clock.monotonic(),
            playback_state=self._playback_state if entry else PlaybackState.STOP,
            song_id=entry.song_id if entry else None,
            uri=entry.uri if entry else None,
            position=position,
            elapsed_seconds=None if stopped else self._elapsed,
            duration_seconds=None if stopped or entry is None else self.database[entry.uri],
            queue_length=len(self._entries),
            queue_version=self._version,
        )

    async def queue(self) -> Sequence[QueueEntry]:
        """Return the whole queue."""
        self._meet()
        return [
            QueueEntry(entry.song_id, entry.uri, position, entry.priority)
            for position, entry in enumerate(self._entries)
        ]

    async def enqueue(self, uri: Uri) -> SongId:
        """Append a file of the database."""
        self._meet()
        if len(self._entries) >= self.capacity:
            raise PlayerFull("the queue is full")
        if uri not in self.database:
            raise UnknownToPlayer(f"no such song: {uri}")
        return self.insert(uri, len(self._entries))

    async def enqueue_next(self, uri: Uri) -> SongId:
        """Insert a file of the database after the current song."""
        song_id = await self.enqueue(uri)
        entry, position = self._entries.pop(), self._position(self._current)
        entry.priority = 255 if self.modes.random else 0
        self._entries.insert(0 if position is None else position + 1, entry)
        return song_id

    async def remove(self, song_id: SongId) -> None:
        """Remove an entry; if it is the current one, the next one follows."""
        self._meet()
        position = self._position(song_id)
        if position is None:
            return
        if song_id == self._current:
            self._go_to(position + 1)
        del self._entries[position]
        self._changed("playlist", "player")

    async def skip(self) -> None:
        """Go on to the next song."""
        self._leave(self._playing_position() + 1)
        self._resume()

    async def previous(self) -> None:
        """Go back to the song before, or to the beginning."""
        self._go_to(max(0, self._playing_position() - 1))
        self._resume()

    async def go_to(self, song_id: SongId) -> None:
        """Play an entry, if there is one."""
        self._meet()
        if self._position(song_id) is not None:
            self.jump(song_id)

    async def play(self) -> None:
        """Start or go on."""
        self._meet()
        if self._current is None and self._entries:
            self._go_to(0)
        self._resume()

    async def pause(self) -> None:
        """Pause, if it plays."""
        self._meet()
        if self._playback_state is PlaybackState.PLAY:
            self._playback_state = PlaybackState.PAUSE
            self._changed("player")

    async def update(self, uri: Uri) -> None:
        """Remember which path was asked to be looked at."""
        self._meet()
        self.updates.append(uri)

    async def uri_of(self, song_id: SongId) -> Uri | None:
        """Return the file of an entry."""
        self._meet()
        position = self._position(song_id)
        return None if position is None else self._entries[position].uri

    def uri(self, name: str) -> Uri:
        """Return the name itself: the library and the player agree here."""
        return Uri(name)

    async def has(self, uri: Uri) -> bool:
        """Return whether the database has a file."""
        self._meet()
        return uri in self.database

    async def track_number(self, uri: Uri) -> tuple[int, int] | None:
        """Return the numbers that a test gave the file."""
        self._meet()
        return self.track_numbers.get(uri)

    async def songs(self) -> AsyncIterator[Sequence[Uri]]:
        """Yield the files of the database."""
        self._meet()
        yield list(self.database)

    async def stamps(self) -> AsyncIterator[Sequence[tuple[Uri, FileStamp]]]:
        """Yield the files of the database with stamps of their tags and durations."""
        self._meet()
        yield [(song.uri, song.stamp) for song in self._songs()]

    async def metadata(self, uris: Collection[Uri]) -> AsyncIterator[Sequence[PlayerSong]]:
        """Yield those of the files that the database has."""
        self._meet()
        yield [song for song in self._songs() if song.uri in uris]

    def _songs(self) -> list[PlayerSong]:
        if self.updating:
            self.refused_reads += 1
            raise PlayerUpdating("the database is being updated")
        return [
            PlayerSong(
                uri,
                FileStamp(zlib.crc32(f"{seconds} {self.tags.get(uri)}".encode()), -1),
                self.tags.get(uri, Tags()),
                seconds,
            )
            for uri, seconds in self.database.items()
        ]

    async def formats(self) -> frozenset[str]:
        """Return the extensions of the files of the database."""
        self._meet()
        return frozenset(uri.rpartition(".")[2] for uri in self.database)

    async def stickers(self, name: str) -> dict[Uri, str]:
        """Return the stickers of one name."""
        self._meet()
        return {uri: value for (uri, kind), value in self._stickers.items() if kind == name}

    async def sticker(self, uri: Uri, name: str) -> str | None:
        """Return one sticker."""
        self._meet()
        return self._stickers.get((uri, name))

    async def set_sticker(self, uri: Uri, name: str, value: str | None) -> None:
        """Write or delete a sticker of a file of the database."""
        self._meet()
        if value is None:
            self._stickers.pop((uri, name), None)
        elif uri in self.database:
            self._stickers[uri, name] = value
        else:
            raise PlayerRefused(f"no such song: {uri}")
        self._changed("sticker")

    async def messages(self) -> Sequence[str]:
        """Return and forget what was sent."""
        self._meet()
        messages, self._messages = self._messages, []
        return messages

    async def reply(self, text: str) -> None:
        """Remember what was answered."""
        self._meet()
        self.replies.append(text)

    # The listener.

    def insert(self, uri: str, position: int) -> SongId:
        """Put a file of the database anywhere into the queue."""
        self._ids += 1
        self._entries.insert(position, _Entry(SongId(self._ids), Uri(uri)))
        self._changed("playlist")
        return SongId(self._ids)

    def add(self, *uris: str) -> list[SongId]:
        """Append files of the database."""
        return [self.insert(uri, len(self._entries)) for uri in uris]

    def stop(self) -> None:
        """Stop, keeping the place in the queue."""
        self._catch_up()
        self._playback_state = PlaybackState.STOP
        self._elapsed = 0.0
        self._changed("player")

    def jump(self, song_id: SongId) -> None:
        """Play an entry."""
        position = self._position(song_id)
        assert position is not None
        self._catch_up()
        self._leave(position)
        self._playback_state = PlaybackState.PLAY

    def move(self, song_id: SongId, position: int) -> None:
        """Move an entry to another position."""
        found = self._position(song_id)
        assert found is not None
        self._entries.insert(position, self._entries.pop(found))
        self._changed("playlist")

    def seek(self, seconds: float) -> None:
        """Go to a place in the current song."""
        self._catch_up()
        self._elapsed = seconds
        self._changed("player")

    def clear(self) -> None:
        """Empty the queue."""
        self._catch_up()
        self._entries.clear()
        self._go_to(0)
        self._changed("playlist", "player")

    def set_modes(
        self,
        *,
        random: bool = False,
        repeat: bool = False,
        single: Mode = Mode.OFF,
        consume: Mode = Mode.OFF,
        crossfade_seconds: float = 0.0,
    ) -> None:
        """Set the playback options; only `consume` also has its effect here."""
        self.modes = PlayerState(
            taken_at=0.0,
            playback_state=PlaybackState.STOP,
            random=random,
            repeat=repeat,
            single=single,
            consume=consume,
            crossfade_seconds=crossfade_seconds,
        )
        self._changed("options")

    def send(self, message: str) -> None:
        """Send a message to our channel."""
        self._messages.append(message)
        self._changed("message")

    # What can befall a player.

    def vanish(self) -> None:
        """Break the link."""
        self._connected = False
        self._changed("lost")

    def come_back(self) -> None:
        """Restore the link."""
        self._connected = True
        self._session += 1
        self._changed("connected")

    def drop(self, uri: str) -> None:
        """Let a file leave the database; its stickers go with it."""
        del self.database[Uri(uri)]
        for gone in [key for key in self._stickers if key[0] == uri]:
            del self._stickers[gone]
        self._changed("update", "database", "sticker")

    def _meet(self) -> None:
        if not self._connected:
            raise PlayerUnavailable("the player is away")
        self._catch_up()

    def _catch_up(self) -> None:
        """Let songs end whose time has come."""
        now = self._clock.monotonic()
        passed, self._counted_at = now - self._counted_at, now
        if self._playback_state is not PlaybackState.PLAY:
            return
        self._elapsed += passed
        while (position := self._position(self._current)) is not None:
            left_over = self._elapsed - self.database[self._entries[position].uri]
            if left_over < 0:
                return
            self._leave(position + 1)
            self._elapsed = left_over

    def _leave(self, position: int) -> None:
        """Go from the current song to the entry at `position`."""
        left = self._position(self._current)
        self._go_to(position)
        if self.modes.consume is not Mode.OFF and left is not None:
            del self._entries[left]
            self._changed("playlist")

    def _go_to(self, position: int) -> None:
        inside = position < len(self._entries)
        self._current = self._entries[position].song_id if inside else None
        self._playback_state = self._playback_state if inside else PlaybackState.STOP
        self._elapsed = 0.0
        self._changed("player")

    def _playing_position(self) -> int:
        self._meet()
        position = self._position(self._current)
        if position is None or self._playback_state is PlaybackState.STOP:
            raise PlayerRefused("not playing")
        return position

    def _resume(self) -> None:
        if self._current is not None:
            self._playback_state = PlaybackState.PLAY
        self._changed("player")

    def _position(self, song_id: SongId | None) -> int | None:
        ids: Iterable[SongId] = (entry.song_id for entry in self._entries)
        return next((place for place, known in enumerate(ids) if known == song_id), None)

    def _changed(self, *subsystems: str) -> None:
        if "playlist" in subsystems:
            self._version += 1
        for changes in self._waiting:
            changes.put_nowait(frozenset(subsystems))
