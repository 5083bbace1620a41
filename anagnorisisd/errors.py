"""The exceptions of the daemon.

One class tree, which gRPC, the MPD channel and the command line each translate in one place. A
message names the value, its source and the remedy, in one line without a full stop.
"""

import copyreg
from collections.abc import Sequence
from typing import Any


class AnagnorisisError(Exception):
    """Base class; the message is meant for users."""

    def __reduce__(self) -> tuple[Any, ...]:
        # For pickling, by Dask for example: the default would call `__init__` of a subclass with
        # the finished message instead of its arguments.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class ConfigError(AnagnorisisError):
    """The configuration is invalid; `problems` has all problems found."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class InvalidValue(AnagnorisisError):
    """A value from outside is out of range or malformed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class UnknownTrack(AnagnorisisError):
    """No track of the library has this id, URI or song id."""


class NoCover(AnagnorisisError):
    """The track has no cover: no picture in its file or folder can be used."""


class PreconditionFailed(AnagnorisisError):
    """The request is valid but not possible in the current state."""


class NothingPlaying(PreconditionFailed):
    """`current` was asked for, but the player is stopped."""


class NothingToUndo(PreconditionFailed):
    """There is no rating change to undo."""


class RatedMeanwhile(PreconditionFailed):
    """The track has a newer rating than the one that the change is based on."""


class NoEvaluator(PreconditionFailed):
    """No evaluator has been trained yet."""


class LimitReached(AnagnorisisError):
    """Too many concurrent requests of this kind, or the client was too slow."""


class PlayerUnavailable(AnagnorisisError):
    """Not connected to MPD, or MPD did not answer in time."""


class PlayerUpdating(PlayerUnavailable):
    """The player is updating its database, which cannot be read as a whole meanwhile."""


class PlayerRefused(AnagnorisisError):
    """MPD answered with an error; the connection itself works."""


class PlayerFull(PlayerRefused):
    """MPD's queue has as many entries as it may have."""


class UnknownToPlayer(PlayerRefused):
    """MPD's database does not have the file."""


class MediaError(AnagnorisisError):
    """A file is unusable; the message is stored as the reason."""


class EmbeddingFailed(AnagnorisisError):
    """A track cannot be embedded; `permanent` says that a retry would not help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class EmbedderUnusable(AnagnorisisError):
    """The embedder cannot embed any track: weights are missing, damaged or of another model."""


class WeightsUnreadable(EmbedderUnusable):
    """The weights exist, but an I/O error or missing permission prevents reading them."""


class EmbedderNotInstalled(EmbedderUnusable):
    """The weights exist, but not the Python packages that compute with them."""


class FetchFailed(AnagnorisisError):
    """A model could not be downloaded, or its checksum does not match."""


class DownloadFailed(FetchFailed):
    """A model could not be downloaded: no network, or the package index does not have it."""


class InstallationFailed(AnagnorisisError):
    """The program could not be installed or uninstalled."""


class StoreError(AnagnorisisError):
    """The database is unusable."""


class StoreFull(StoreError):
    """The disk is full."""


class StoreUnavailable(StoreError):
    """The database is locked by another program, or closed. A retry may succeed."""


class StoreUnwritable(StoreError):
    """No permission to write the database or its folder."""


class StoreDamaged(StoreError):
    """The database is corrupt."""


class StoreLost(StoreError):
    """The database has disappeared: unmounted, moved, replaced, removed or emptied."""


class EvaluatorUnreadable(StoreError):
    """The stored model of an evaluator is damaged or was written by another version."""


class AlreadyRunning(AnagnorisisError):
    """Another daemon holds the state directory or the socket."""


class WorkerLost(AnagnorisisError):
    """A worker process died or hung during this task; the pool continues."""


class WorkerDied(WorkerLost):
    """The worker crashed or was killed, for example by the kernel for lack of memory."""


class WorkerHung(WorkerLost):
    """The worker did not answer in time."""
