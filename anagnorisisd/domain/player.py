"""The player: its state, its queue, and its interface."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NewType, Protocol

from anagnorisisd.domain.track import FileStamp, Tags, Uri

SongId = NewType("SongId", int)
"""MPD's id of one queue entry; two entries of the same file have different ids."""


class PlaybackState(StrEnum):
    """What the player is doing."""

    PLAY = "play"
    PAUSE = "pause"
    STOP = "stop"


class Mode(StrEnum):
    """A playback option that can be on for one song only."""

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
    """The entries of a queue in order, with a cached set of their ids."""

    @cached_property
    def ids(self) -> frozenset[SongId]:
        """The ids of all entries."""
        return frozenset(entry.song_id for entry in self)


def ids_of(entries: Sequence[QueueEntry]) -> frozenset[SongId]:
    """Return the ids of entries."""
    return (entries if isinstance(entries, QueueEntries) else QueueEntries(entries)).ids


@dataclass(frozen=True, slots=True)
class PlayerState:
    """Status and current song, read together.

    `taken_at` is the time of the response in monotonic seconds, and `span_seconds` the duration of
    the request: the state is that of some moment within it. `elapsed_seconds` and
    `duration_seconds` are `None` while stopped; `song_id` and `uri` are `None` if there is no
    current song. `updating` says that the player is updating its database.
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
    protocol_version: str | None = None
    music_directory: str | None = None
    reason: str | None = None
    missing_features: tuple[str, ...] = ()
    session: int = 0


@dataclass(frozen=True, slots=True)
class PlayerSong:
    """A song in the player's database; `stamp` changes whenever the metadata does."""

    uri: Uri
    stamp: FileStamp
    tags: Tags
    duration_seconds: float | None


class Player(Protocol):
    """A player with a queue.

    Every method but `link` and `changes` raises `PlayerUnavailable` if the player is not connected
    or does not answer in time, and `PlayerRefused` if it answers with an error. URIs are those of
    the library; implementations map them.
    """

    def link(self) -> PlayerLink:
        """Return the state of the connection; never blocks."""
        ...

    def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield the names of the subsystems that changed, until cancelled.

        Yields `{"connected"}` after each connection, when everything must be read again, and
        `{"lost"}` when the connection is lost. Reconnects by itself; never ends or raises. The
        names are those of MPD's `idle`: player, playlist, options, sticker, message, database,
        update, stored_playlist.
        """
        ...

    async def state(self) -> PlayerState:
        """Return status and current song, read together."""
        ...

    async def queue(self) -> Sequence[QueueEntry]:
        """Return the whole queue in order."""
        ...

    async def enqueue(self, uri: Uri) -> SongId:
        """Append a file to the end of the queue and return its entry's id.

        Raises:
            PlayerFull: the queue is full.
            UnknownToPlayer: the file is not in the player's database.
        """
        ...

    async def enqueue_next(self, uri: Uri) -> SongId:
        """Insert a file after the current song and return its entry's id.

        Without a current song it is inserted at the beginning. In random mode the entry gets the
        highest priority, so that it plays next. Raises as `enqueue` does.
        """
        ...

    async def remove(self, song_id: SongId) -> None:
        """Remove one entry, if it exists."""
        ...

    async def skip(self) -> None:
        """Go to the next song.

        Raises:
            PlayerRefused: playback is stopped.
        """
        ...

    async def previous(self) -> None:
        """Go to the song before, or to the beginning of the first one.

        Raises:
            PlayerRefused: playback is stopped.
        """
        ...

    async def go_to(self, song_id: SongId) -> None:
        """Play one entry, if it exists."""
        ...

    async def play(self) -> None:
        """Start or resume playback; an empty queue stays stopped."""
        ...

    async def pause(self) -> None:
        """Pause, unless playback is stopped."""
        ...

    async def update(self, uri: Uri) -> None:
        """Ask the player to update one path in its database."""
        ...

    async def uri_of(self, song_id: SongId) -> Uri | None:
        """Return the file of a queue entry, or `None` when there is no such entry."""
        ...

    def uri(self, name: str) -> Uri:
        """Return the library's URI of a song with the URI `name` in the player."""
        ...

    async def has(self, uri: Uri) -> bool:
        """Return whether the player's database has a file."""
        ...

    async def track_number(self, uri: Uri) -> tuple[int, int] | None:
        """Return the numbers of disc and track in a file's tags; `None` if it has no track number.

        The disc is 1 if the tags do not say.
        """
        ...

    def songs(self) -> AsyncIterator[Sequence[Uri]]:
        """Yield the files of all songs in the player's database, in several parts."""
        ...

    def stamps(self) -> AsyncIterator[Sequence[tuple[Uri, FileStamp]]]:
        """Yield all songs in the player's database with their stamps, in several parts.

        Some may come twice. Raises `PlayerUpdating` if the database changes meanwhile.
        """
        ...

    def metadata(self, uris: Collection[Uri]) -> AsyncIterator[Sequence[PlayerSong]]:
        """Yield those of the songs `uris` that the player has; otherwise as `stamps`."""
        ...

    async def formats(self) -> frozenset[str]:
        """Return the file name extensions that the player can decode; empty if it does not tell."""
        ...

    async def stickers(self, name: str) -> dict[Uri, str]:
        """Return the stickers of that name of all songs; empty if there are none."""
        ...

    async def sticker(self, uri: Uri, name: str) -> str | None:
        """Return one song's sticker; `None` if it has none or is not in the database."""
        ...

    async def set_sticker(self, uri: Uri, name: str, value: str | None) -> None:
        """Write a sticker; `None` deletes it, if it exists."""
        ...

    async def messages(self) -> Sequence[str]:
        """Return and remove the messages waiting on our channel."""
        ...

    async def reply(self, text: str) -> None:
        """Send a line to our reply channel, if anyone listens there."""
        ...
