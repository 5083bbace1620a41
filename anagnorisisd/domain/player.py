"""The player: its state, queue and interface."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NewType, Protocol

from anagnorisisd.domain.track import Uri

SongId = NewType("SongId", int)
"""MPD's id of one queue entry; two entries of the same file have different ids."""


class PlaybackState(StrEnum):
    """What the player is doing."""

    PLAY = "play"
    PAUSE = "pause"
    STOP = "stop"


class Mode(StrEnum):
    """A playback option that may hold for one song only."""

    OFF = "0"
    ON = "1"
    ONESHOT = "oneshot"


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One entry of the queue. `position` counts from 0."""

    song_id: SongId
    uri: Uri
    position: int
    priority: int = 0


class QueueEntries(tuple[QueueEntry, ...]):
    """The entries of a queue in order, and all their ids, which are put together once."""

    @cached_property
    def ids(self) -> frozenset[SongId]:
        """The ids of all entries."""
        return frozenset(entry.song_id for entry in self)


def ids_of(entries: Sequence[QueueEntry]) -> frozenset[SongId]:
    """Return the ids of entries."""
    return (entries if isinstance(entries, QueueEntries) else QueueEntries(entries)).ids


@dataclass(frozen=True, slots=True)
class PlayerState:
    """Status and current song, read in one go.

    `taken_at` is monotonic seconds of the reader's clock when the answer was there, and
    `span_seconds` how long it was waited for: the state is that of some moment of this span.
    `elapsed_seconds` and `duration_seconds` are `None` while stopped; `song_id` and `uri` are
    `None` when there is no current song. `updating` says that the player's database is being
    brought in line with its disk.
    """

    taken_at: float
    playback_state: PlaybackState
    song_id: SongId | None = None
    uri: Uri | None = None
    position: int | None = None
    elapsed_seconds: float | None = None
    duration_seconds: float | None = None
    queue_length: int = 0
    queue_version: int = 0
    random: bool = False
    repeat: bool = False
    single: Mode = Mode.OFF
    consume: Mode = Mode.OFF
    crossfade_seconds: float = 0.0
    error: str | None = None
    updating: bool = False
    span_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PlayerLink:
    """The state of the connection to the player.

    `reason` says why there is no connection; it is `None` until the first attempt has failed.
    `missing_features` are messages: what this server does not support or permit, and the remedy.
    `session` counts the connections made so far: changes may be missed between two sessions.
    """

    connected: bool
    address: str
    server_version: str | None = None
    music_directory: str | None = None
    reason: str | None = None
    missing_features: tuple[str, ...] = ()
    session: int = 0


class Player(Protocol):
    """A player with a queue.

    Every method but `link` and `changes` raises `PlayerUnavailable` when the player is away or
    does not answer in time, and `PlayerRefused` when it answers with an error of its own.
    Uris here are already those of the library; the adapter maps them.
    """

    def link(self) -> PlayerLink:
        """Return how the connection stands; never blocks."""
        ...

    def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield the names of the subsystems that changed, until cancelled.

        Yields `{"connected"}` each time the link is (re)established, when everything must be
        read again, and `{"lost"}` each time it breaks. Reconnects by itself; never ends or
        raises. Names are those of MPD's idle: player, playlist, options, sticker, message,
        database, update.
        """
        ...

    async def state(self) -> PlayerState:
        """Return status and current song, read in one go."""
        ...

    async def queue(self) -> Sequence[QueueEntry]:
        """Return the whole queue in order."""
        ...

    async def enqueue(self, uri: Uri) -> SongId:
        """Append a file to the end of the queue and return its entry's id.

        Raises:
            PlayerFull: the queue has as many entries as it may have.
            UnknownToPlayer: the player's database does not have the file.
        """
        ...

    async def remove(self, song_id: SongId) -> None:
        """Remove one entry; one that is gone already is not an error."""
        ...

    async def skip(self) -> None:
        """Go on to the next song."""
        ...

    async def play(self) -> None:
        """Start playback."""
        ...

    async def update(self, uri: Uri) -> None:
        """Ask the player to look at one path of its music directory again."""
        ...

    async def uri_of(self, song_id: SongId) -> Uri | None:
        """Return the file of a queue entry, or `None` when there is no such entry."""
        ...

    def uri(self, name: str) -> Uri:
        """Return the library's uri of what the player and its clients call `name`."""
        ...

    async def has(self, uri: Uri) -> bool:
        """Return whether the player's database has a file."""
        ...

    async def stickers(self, name: str) -> dict[Uri, str]:
        """Return the stickers of that name of all songs; empty where there are none."""
        ...

    async def sticker(self, uri: Uri, name: str) -> str | None:
        """Return one song's sticker, or `None` when it has none or is not in the database."""
        ...

    async def set_sticker(self, uri: Uri, name: str, value: str | None) -> None:
        """Write a sticker; `None` deletes it, and one that is gone already is not an error."""
        ...

    async def messages(self) -> Sequence[str]:
        """Return and forget the messages waiting on our channel."""
        ...

    async def reply(self, text: str) -> None:
        """Send a line to whoever listens on our reply channel; nobody there is not an error."""
        ...
