"""What a screen is fed with: plain values, read together at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlayerLink, PlayerState
from anagnorisisd.domain.track import Track


@dataclass(frozen=True, slots=True)
class Scanning:
    """How far a scan has come: files looked at so far, and whether that was all."""

    found: int
    added: int
    done: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The daemon at one moment; `None` where something is not known yet.

    `current` is the track that plays, `ahead` the picks that follow with their reasons,
    `no_picks` says why none are added, and `notices` are sentences the listener should read: what
    is learnt, what is missing.
    """

    scan: Scanning | None = None
    embedding: EmbeddingProgress | None = None
    link: PlayerLink | None = None
    player: PlayerState | None = None
    current: Track | None = None
    ahead: Sequence[tuple[Track, Explanation]] = ()
    no_picks: str | None = None
    notices: Sequence[str] = ()


class Screen(Protocol):
    """Shows snapshots; call `show` as often as there is news, about once a second at most."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the daemon as it is now."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was found."""
        ...
