"""One visit of the page Teach me: which track is next, and how predictions became surer."""

import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from anagnorisis.v1.track_pb2 import Track

KEY = "teach"
"""Key of the session."""
VISIT_SECONDS = 6 * 3600.0
MAX_SKIPPED = 60
SHORT_ID = 10
"""Characters of a track's id that tell the skipped ones apart."""
MAX_WAITING = 5
MAX_RATED = 3
SURER_BY = 0.05
"""Rating points by which a standard deviation has to be smaller to count."""
MAX_VISITS = 50


class Visit:
    """What the session stores of a visit. Times are in unix seconds."""

    def __init__(self, session: MutableMapping[str, Any], now: float) -> None:
        stored = session.get(KEY)
        if not stored or now - stored["seen"] > VISIT_SECONDS:
            stored = {
                "id": secrets.token_hex(4),
                "seed": secrets.randbits(32),
                "waiting": [],
                "skipped": [],
                "rated": [],
                "error": None,
                "play": bool(stored and stored["play"]),
            }
        stored["seen"] = now
        session[KEY] = self._stored = stored

    @property
    def visit_id(self) -> str:
        """Identifies the visit."""
        return str(self._stored["id"])

    @property
    def seed(self) -> int:
        """Seed of the suggestions, so that a page that is loaded again shows the same track."""
        return int(self._stored["seed"])

    @property
    def waiting(self) -> Sequence[str]:
        """Ids of suggested tracks, the next one first."""
        return list(self._stored["waiting"])

    @property
    def rated(self) -> Sequence[str]:
        """Ids of the tracks that were rated last, the newest first."""
        return list(self._stored["rated"])

    @property
    def skipped(self) -> int:
        """Number of tracks that were skipped."""
        return len(self._stored["skipped"])

    @property
    def plays(self) -> bool:
        """Whether previews play by themselves."""
        return bool(self._stored["play"])

    @plays.setter
    def plays(self, value: bool) -> None:
        self._stored["play"] = value

    def suggest(self, track_ids: Sequence[str]) -> None:
        """Store the first suggested tracks that were not skipped."""
        skipped = self._stored["skipped"]
        others = [each for each in track_ids if each[:SHORT_ID] not in skipped]
        self._stored["waiting"] = others[:MAX_WAITING]

    def skip(self, track_id: str) -> None:
        """Leave out a track for the rest of the visit."""
        self._drop(track_id)
        self._stored["skipped"] = [*self._stored["skipped"], track_id[:SHORT_ID]][-MAX_SKIPPED:]

    def leave(self, track: Track) -> None:
        """Go on to the next track, as this one is rated or cannot be rated."""
        self._drop(track.track_id)
        if track.HasField("rating"):
            others = [each for each in self._stored["rated"] if each != track.track_id]
            self._stored["rated"] = [track.track_id, *others][:MAX_RATED]

    def first_error(self, error: float | None) -> float | None:
        """Return the error ratio that was seen first in this visit; `None` if there was none."""
        if self._stored["error"] is None:
            self._stored["error"] = error
        first: float | None = self._stored["error"]
        return first

    def _drop(self, track_id: str) -> None:
        self._stored["waiting"] = [each for each in self._stored["waiting"] if each != track_id]


class Sharpening(NamedTuple):
    """How much surer predictions are; standard deviations are in rating points."""

    compared: int
    surer: int
    mean_before: float
    mean_now: float


class Baselines:
    """The standard deviations of predictions when each visit began.

    The oldest visits are dropped.
    """

    def __init__(self) -> None:
        self._visits: dict[str, Mapping[str, float]] = {}

    def compare(self, visit_id: str, tracks: Sequence[Track]) -> Sharpening | None:
        """Compare the predictions of tracks with those at the first call for this visit.

        Returns `None` if there are none to compare.
        """
        now = {
            track.track_id: track.predicted_stddev
            for track in tracks
            if track.HasField("predicted_stddev")
        }
        if not self._visits.get(visit_id):
            self._visits[visit_id] = now
            while len(self._visits) > MAX_VISITS:
                del self._visits[next(iter(self._visits))]
        before = self._visits[visit_id]
        both = [(before[track_id], now[track_id]) for track_id in before.keys() & now.keys()]
        if not both:
            return None
        return Sharpening(
            compared=len(both),
            surer=sum(new < old - SURER_BY for old, new in both),
            mean_before=sum(old for old, _ in both) / len(both),
            mean_now=sum(new for _, new in both) / len(both),
        )
