"""Events of the daemon. They are hints: subscribers read the state before they act."""

from dataclasses import dataclass

from anagnorisisd.domain.pick import Pick
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId, Uri


@dataclass(frozen=True, slots=True)
class TrackRated:
    """A rating was set, cleared or undone, and is stored."""

    change: RatingChange


@dataclass(frozen=True, slots=True)
class PlayJudged:
    """A play ended and was judged."""

    play: Play


@dataclass(frozen=True, slots=True)
class PickQueued:
    """A pick was added to the queue."""

    pick: Pick
    uri: Uri


@dataclass(frozen=True, slots=True)
class LibraryChanged:
    """A scan or the watcher changed what is present: tracks added, files moved or missing."""

    added: tuple[TrackId, ...] = ()
    moved: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class TracksEmbedded:
    """New vectors were stored."""

    track_ids: tuple[TrackId, ...]


@dataclass(frozen=True, slots=True)
class PredictionsUpdated:
    """The predicted ratings of `count` tracks were written."""

    count: int


@dataclass(frozen=True, slots=True)
class EvaluatorPromoted:
    """A newly trained evaluator took over."""

    version: int


@dataclass(frozen=True, slots=True)
class PickingSwitched:
    """The listener switched picking on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class PicksHeldBack:
    """Picking was paused because of `reason`; an empty `reason` means that it resumed."""

    reason: str


@dataclass(frozen=True, slots=True)
class PlayerConnected:
    """The connection to the player was established."""

    address: str


@dataclass(frozen=True, slots=True)
class PlayerLost:
    """The connection to the player was lost; the daemon reconnects."""

    reason: str


Event = (
    TrackRated
    | PlayJudged
    | PickQueued
    | LibraryChanged
    | TracksEmbedded
    | PredictionsUpdated
    | EvaluatorPromoted
    | PickingSwitched
    | PicksHeldBack
    | PlayerConnected
    | PlayerLost
)
