"""What a player shows of itself at one moment: state and queue, read together."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NewType

from anagnorisisd.domain.track import Uri

SongId = NewType("SongId", int)
"""MPD's id of one queue entry; two entries of the same file have different ids."""


class Phase(StrEnum):
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

    `taken_at` is monotonic seconds of the reader's clock at the moment of the reading.
    `elapsed_seconds` and `duration_seconds` are `None` while stopped; `song_id` and `uri` are
    `None` when there is no current song. `updating` says that the player's database is being
    brought in line with its disk.
    """

    taken_at: float
    phase: Phase
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
