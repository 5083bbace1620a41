"""What the checks are made from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The music folder; `reason` says why it cannot be listed."""

    path: Path
    reason: str | None
    folders: int = 0
    files: int = 0
    """Those of the formats that are read."""


@dataclass(frozen=True, slots=True)
class MpdFacts:
    """The link to MPD; `reason` says why there is none."""

    address: str
    version: str | None = None
    reason: str | None = None
    refused: bool = False
    lacking: tuple[str, ...] = ()
    stickers: bool = True
    too_old: bool = False
    """Whether it speaks a version of the protocol that is not supported."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The file system of the state directory; `reason` says why nothing can be written."""

    path: Path
    free_bytes: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorFacts:
    """Who makes the vectors: this computer where there is no `address`.

    `reason` says why nobody does, `unfit` why single workers do not.
    """

    address: str = ""
    workers: int = 0
    reason: str = ""
    unfit: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfinementFacts:
    """What a confined worker could do all the same; `reason` says why that is not known."""

    possible: tuple[str, ...] = ()
    landlock: int = 0
    """The version that the kernel has; 0 for none."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """The unit as one systemd knows it; `active` is empty when there is no such unit."""

    of_user: bool
    """Whether it is the listener's own systemd, not that of the computer."""
    active: str = ""
    result: str = ""
    restarts: int = 0
    enabled: bool = True
    """Whether it starts by itself."""
    outdated: bool = False
    """Whether its file has changed since systemd read it."""
    unread: Path | None = None
    """Its file, where systemd does not know of it."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a daemon that runs was told, by its configuration, its flags or its surroundings."""

    socket: Path
    music: Path
    state: Path
    models: Path
    mpd: str
    link: MpdFacts | None = None
    """Its link to MPD; `None` while it has none."""

    def __str__(self) -> str:
        return f"music in {self.music}, state in {self.state}, MPD at {self.mpd}"
