"""Snapshot of the daemon's state, and the interface of the screens that show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlayerLink, PlayerState
from anagnorisisd.domain.track import Track


@dataclass(frozen=True, slots=True)
class ScanState:
    """Progress of a scan: files found and added so far."""

    found: int
    added: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The daemon's state; `None` where it is not known yet.

    `current` is the playing track, `sound_tags` what it sounds like, `ahead` the queued picks with
    their explanations, `no_picks` the reason why no picks are added, and `notices` are messages
    about training and problems.
    """

    scan: ScanState | None = None
    embedding: EmbeddingProgress | None = None
    link: PlayerLink | None = None
    player: PlayerState | None = None
    current: Track | None = None
    sound_tags: Sequence[str] = ()
    ahead: Sequence[tuple[Track, Explanation]] = ()
    no_picks: str | None = None
    notices: Sequence[str] = ()


class Screen(Protocol):
    """Shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot; called about once a second."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...
