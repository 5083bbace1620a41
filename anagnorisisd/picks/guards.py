"""Guards: rules that exclude candidates by configuration, duration, time or sameness.

Guards are applied in the order of `Guard`. One that would exclude every candidate that is left is
not applied; it is *relaxed*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from anagnorisisd.domain.pick import Bools, Candidates
from anagnorisisd.domain.track import TrackId


class Guard(StrEnum):
    """All guards, the most important first: later ones are relaxed first."""

    EXCLUDED = "excluded"
    DURATION = "duration"
    REMOVED = "removed"
    HOURS_BETWEEN_PLAYS = "hours_between_plays"
    ARTIST_SPREAD = "artist_spread"
    ALBUM_SPREAD = "album_spread"


@dataclass(frozen=True, slots=True)
class PickRules:
    """What the configuration says about picks; 0 switches a guard off.

    The last `artist_spread` tracks, played or queued, must be by other artists, and the last
    `album_spread` from other albums. `explore` scales the sampling of predicted ratings, and
    `flow` the preference for tracks that sound like the one before.
    """

    min_hours_between_plays: float = 0.0
    artist_spread: int = 0
    album_spread: int = 0
    min_seconds: float = 0.0
    max_seconds: float = 0.0
    explore: float = 0.0
    flow: float = 0.0


def track_guards(
    candidates: Candidates, rules: PickRules, now: float, removed: Sequence[TrackId] = ()
) -> dict[Guard, Bools]:
    """Return which candidates, `[n]`, each active guard allows, for guards of a track alone.

    `removed` are the picks that the listener removed from the queue a short time ago.
    """
    guards: dict[Guard, Bools] = {}
    if candidates.excluded.any():
        guards[Guard.EXCLUDED] = ~candidates.excluded
    if rules.min_seconds or rules.max_seconds:
        seconds = candidates.duration_seconds
        # Comparisons with NaN are false: a track of unknown duration is allowed.
        guards[Guard.DURATION] = ~(
            (seconds < rules.min_seconds) | (seconds > (rules.max_seconds or np.inf))
        )
    if removed:
        guards[Guard.REMOVED] = np.ones(len(candidates), dtype=bool)
        guards[Guard.REMOVED][candidates.rows(removed)] = False
    if rules.min_hours_between_plays:
        since = now - candidates.last_played_at
        # A play in the future comes from a wrong clock; it must not block the track until then.
        guards[Guard.HOURS_BETWEEN_PLAYS] = (since < 0) | (
            since >= rules.min_hours_between_plays * 3600
        )
    return guards


def spread_guards(
    candidates: Candidates, rules: PickRules, recent: Sequence[TrackId]
) -> dict[Guard, Bools]:
    """Return which candidates, `[n]`, do not repeat an artist or album of the last tracks."""
    guards: dict[Guard, Bools] = {}
    if rules.artist_spread and recent:
        rows = candidates.rows(recent[-rules.artist_spread :])
        guards[Guard.ARTIST_SPREAD] = ~candidates.artists.sharing(rows)
    if rules.album_spread and recent:
        codes = candidates.album[candidates.rows(recent[-rules.album_spread :])]
        guards[Guard.ALBUM_SPREAD] = ~np.isin(candidates.album, codes[codes != 0])
    return guards
