"""Guards: what lowers a weight because of sameness, duration or exclusion.

They are applied in the order of `Guard`; one that would leave nothing to pick is given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from anagnorisisd.domain.pick import Bools, Candidates
from anagnorisisd.domain.track import TrackId


class Guard(StrEnum):
    """The guards, those that matter most first: a later one yields to an earlier one."""

    EXCLUDED = "excluded"
    DURATION = "duration"
    HOURS_BETWEEN_PLAYS = "hours_between_plays"
    ARTIST_SPREAD = "artist_spread"
    ALBUM_SPREAD = "album_spread"


@dataclass(frozen=True, slots=True)
class GuardRules:
    """The listener's wishes about sameness; zeros switch a guard off.

    `artist_spread` and `album_spread` say how many neighbouring tracks, played or queued, must
    be by someone else or from another album.
    """

    min_hours_between_plays: float = 0.0
    artist_spread: int = 0
    album_spread: int = 0
    min_seconds: float = 0.0
    max_seconds: float = 0.0
    explore: float = 0.0


def standing_guards(candidates: Candidates, rules: GuardRules, now: float) -> dict[Guard, Bools]:
    """Return which candidates, `[n]`, each guard allows that is on and looks at no neighbours."""
    guards: dict[Guard, Bools] = {}
    if candidates.excluded.any():
        guards[Guard.EXCLUDED] = ~candidates.excluded
    if rules.min_seconds or rules.max_seconds:
        seconds = candidates.duration_seconds
        # Comparisons with NaN are false: a track of unknown duration is allowed.
        guards[Guard.DURATION] = ~(
            (seconds < rules.min_seconds) | (seconds > (rules.max_seconds or np.inf))
        )
    if rules.min_hours_between_plays:
        since = now - candidates.last_played_at
        # A play in the future is a clock's mistake; it must not keep a track away until then.
        guards[Guard.HOURS_BETWEEN_PLAYS] = (since < 0) | (
            since >= rules.min_hours_between_plays * 3600
        )
    return guards


def spread_guards(
    candidates: Candidates, rules: GuardRules, recent: Sequence[TrackId]
) -> dict[Guard, Bools]:
    """Return which candidates, `[n]`, differ enough from the tracks played or queued last."""
    guards: dict[Guard, Bools] = {}
    if rules.artist_spread and recent:
        near = candidates.rows(recent[-rules.artist_spread :])
        guards[Guard.ARTIST_SPREAD] = ~candidates.artists.sharing(near)
    if rules.album_spread and recent:
        codes = candidates.album[candidates.rows(recent[-rules.album_spread :])]
        guards[Guard.ALBUM_SPREAD] = ~np.isin(candidates.album, codes[codes != 0])
    return guards
