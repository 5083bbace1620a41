"""Facts about the system, as `probe` collects them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MusicFacts:
    """The music directory; `reason` says why it cannot be listed."""

    path: Path
    reason: str | None
    directories: int = 0
    files: int = 0
    """The number of files in a configured format."""


@dataclass(frozen=True, slots=True)
class MpdFacts:
    """The connection to MPD; `reason` says why there is none.

    `refused` tells an error of MPD, a wrong password for example, from a failed connection.
    """

    address: str
    version: str | None = None
    reason: str | None = None
    refused: bool = False
    missing_features: tuple[str, ...] = ()
    stickers: bool = True
    too_old: bool = False
    """Whether its protocol version is not supported."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The file system of the state directory; `reason` says why it cannot be written."""

    path: Path
    free_bytes: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorFacts:
    """The Dask scheduler that computes embeddings; without `address` this computer does.

    `reason` says why it cannot, and `unfit` why individual workers cannot.
    """

    address: str = ""
    workers: int = 0
    reason: str = ""
    unfit: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfinementFacts:
    """What a confined worker process can do; `reason` says why the test failed."""

    possible: tuple[str, ...] = ()
    landlock: int = 0
    """ABI version of Landlock in the kernel; 0 without Landlock."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """The settings of a running daemon, from its configuration, flags and environment."""

    socket: Path
    music: Path
    state: Path
    models: Path
    mpd: str
    connection: MpdFacts | None = None
    """Its connection to MPD; `None` while not connected."""

    def __str__(self) -> str:
        return f"music in {self.music}, state in {self.state}, MPD at {self.mpd}"
