"""Every error the daemon raises on purpose.

One tree, so that each edge (gRPC, MPD channel, command line) translates it in one place.
A message names the value, the place and the remedy, in one line and without a full stop.
"""

import copyreg
from collections.abc import Sequence
from typing import Any


class AnagnorisisError(Exception):
    """Base of all errors of this program; its text is meant for the listener."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors may be pickled, by Dask for one, and the default would call `__init__`
        # with the finished message in place of what a subclass takes.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class ConfigError(AnagnorisisError):
    """The configuration cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class InvalidValue(AnagnorisisError):
    """A value given from outside is out of range or malformed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class UnknownTrack(AnagnorisisError):
    """No track of the library has this id, uri or song id."""


class PreconditionFailed(AnagnorisisError):
    """The request is well formed but cannot be met in the present state."""


class NothingPlaying(PreconditionFailed):
    """`current` was asked for, but the player is stopped."""


class NothingToUndo(PreconditionFailed):
    """There is no rating change left to take back."""


class RatedMeanwhile(PreconditionFailed):
    """The track was rated after the state that a change was to follow."""


class NoEvaluator(PreconditionFailed):
    """No evaluator has been trained yet."""


class LimitReached(AnagnorisisError):
    """As many as may do this at once are doing it, or somebody took too long for it."""


class PlayerUnavailable(AnagnorisisError):
    """MPD is away, or did not answer in time."""


class PlayerRefused(AnagnorisisError):
    """MPD answered and said no; the link itself is fine."""


class PlayerFull(PlayerRefused):
    """MPD's queue has as many entries as it may have."""


class UnknownToPlayer(PlayerRefused):
    """MPD's database does not have the file."""


class MediaError(AnagnorisisError):
    """A file cannot be used as music; the text is the reason recorded for it."""


class EmbeddingFailed(AnagnorisisError):
    """A track cannot be embedded; `permanent` says that a retry would not help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class EmbedderUnusable(AnagnorisisError):
    """The embedder itself cannot work, whatever the track: weights missing, damaged, or wrong."""


class WeightsUnreadable(EmbedderUnusable):
    """There are weights, but the disk or its permissions keep them from being read at present."""


class FetchFailed(AnagnorisisError):
    """A published model could not be fetched, or is not what was published."""


class InstallationFailed(AnagnorisisError):
    """The program could not be put into its places, or taken away from them."""


class StoreError(AnagnorisisError):
    """The database cannot be used as it is."""


class StoreFull(StoreError):
    """There is no room on the disk."""


class StoreUnavailable(StoreError):
    """Another program has the database locked, or it is closed already: later it may work."""


class StoreUnwritable(StoreError):
    """The database, or its folder, may not be written."""


class StoreDamaged(StoreError):
    """The database cannot be read as one any more."""


class StoreLost(StoreError):
    """The database is not where it was: unmounted, moved, replaced, removed or emptied."""


class EvaluatorUnreadable(StoreError):
    """The stored model of an evaluator is damaged, or of another version of the program."""


class AlreadyRunning(AnagnorisisError):
    """Another daemon holds the state directory or the socket."""


class WorkerLost(AnagnorisisError):
    """A worker process died or hung while it had this task; the pool itself goes on."""


class WorkerDied(WorkerLost):
    """It crashed or was killed, by the kernel if it took too much memory or processor time."""


class WorkerHung(WorkerLost):
    """It did not answer in time."""
