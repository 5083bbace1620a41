"""Albums as picks: which tracks make an album, its weight, guards for albums, and their order.

An album is the present tracks in one folder that have the same album tag; folders of the discs of
an album ("CD 1", "Disc 2") count as the folder above. Tracks without an album tag are an album if
they are alone in their folder, which must not be the music directory itself. Albums of fewer than
`picks.album_minimum_tracks` tracks, singles for example, are not picked.

    weight = (known x mean weight of its tracks + 2 x mean weight of all tracks) / (known + 2)
             [x mean steering factor of its tracks] [x flow factor]

`known` counts the tracks with a rating or a prediction: an album of unknown tracks is taken for an
average one. Weights here are without steering. The flow factor compares the mean of an album with
the track before it. Guards apply to an album as a whole:

| guard | excludes an album |
|---|---|
| `excluded`, `hours_between_plays`, `album_spread` | if it excludes one of its tracks |
| `duration`, `removed`, `artist_spread` | if it excludes more than half of its tracks |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Bools, Candidates, Explanation, Floats, Pick
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.picks.guards import Guard, PickRules, spread_guards, track_guards
from anagnorisisd.picks.sampler import draw, explain_unguarded
from anagnorisisd.picks.weights import WeightedCandidates, flow_factor

PRIOR_TRACKS = 2
"""So many tracks of average weight are added to the known ones of each album."""

MAX_TRACKS = 150
"""A folder of more untagged tracks is not an album; a few hundred would block the queue."""

WHOLE_ALBUM_GUARDS = {Guard.EXCLUDED, Guard.HOURS_BETWEEN_PLAYS, Guard.ALBUM_SPREAD}
"""Guards that exclude an album because of one track; others because of more than half."""

NUMBER = re.compile(r"(\d+)")

NO_ALBUM = -1

LAST = 10**9
"""The track number of a file without one."""


@dataclass(frozen=True, slots=True)
class Albums:
    """The albums of `n` candidates.

    `of_track` is the number of each track's album, `[n]`, or `NO_ALBUM`. The rows of album `a` are
    `rows[starts[a] : starts[a + 1]]`.
    """

    of_track: NDArray[np.int64]
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows_of(self, album: int) -> NDArray[np.int64]:
        """Return the rows of an album's tracks."""
        return self.rows[self.starts[album] : self.starts[album + 1]]

    def sums(self, values: Floats) -> Floats:
        """Return the sum of the values of each album's tracks, `[m]`, from those of all, `[n]`."""
        if not len(self):
            return np.zeros(0)
        return np.asarray(np.add.reduceat(values[self.rows], self.starts[:-1]), np.float64)


def group(candidates: Candidates, minimum_tracks: int) -> Albums:
    """Return the albums with at least `minimum_tracks` tracks."""
    count = len(candidates)
    order = np.lexsort((candidates.album, candidates.folder))
    keys = np.stack([candidates.folder[order], candidates.album[order]])
    begins = np.ones(count, dtype=bool)
    begins[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    firsts = np.flatnonzero(begins)
    sizes = np.diff(np.append(firsts, count))
    tagged = keys[1, firsts] != 0
    in_folder = keys[0, firsts] != 0
    _, folder_of_group, groups_in_folder = np.unique(
        keys[0, firsts], return_inverse=True, return_counts=True
    )
    alone = groups_in_folder[folder_of_group] == 1
    is_album = (sizes >= minimum_tracks) & (sizes <= MAX_TRACKS)
    is_album &= tagged | (in_folder & alone)
    numbers = np.where(is_album, np.cumsum(is_album) - 1, NO_ALBUM)
    of_sorted = np.repeat(numbers, sizes)
    of_track = np.empty(count, dtype=np.int64)
    of_track[order] = of_sorted
    starts = np.concatenate([[0], np.cumsum(sizes[is_album])]).astype(np.int64)
    return Albums(of_track, order[of_sorted != NO_ALBUM].astype(np.int64), starts)


def weights(albums: Albums, weighted: WeightedCandidates) -> Floats:
    """Return the weight of each album before guards, `[m]`."""
    candidates, factors = weighted.candidates, weighted.factors
    weight = factors.rating_factor * factors.skip_factor * factors.recency_factor
    sizes = np.diff(albums.starts)
    known = ~(np.isnan(candidates.rating) & np.isnan(candidates.predicted_mean))
    known_tracks = albums.sums(known.astype(np.float64))
    mean = albums.sums(weight) / np.maximum(sizes, 1)
    overall = float(weight.mean()) if len(weight) else 0.0
    result: Floats = (known_tracks * mean + PRIOR_TRACKS * overall) / (known_tracks + PRIOR_TRACKS)
    if weighted.steering is not None:
        # Not part of the mean: the prior says nothing about what an album sounds like.
        result *= albums.sums(weighted.steering.factor) / np.maximum(sizes, 1)
    return result


@dataclass(frozen=True, slots=True)
class QueueContext:
    """The time and the queue that albums are chosen for.

    Albums with one of the `queued` tracks are not chosen, and those with one of the `played` ones
    only when no other is left. Guards compare with the `recent` and `removed` tracks.
    """

    now: float
    queued: Sequence[TrackId] = ()
    recent: Sequence[TrackId] = ()
    played: Sequence[TrackId] = ()
    removed: Sequence[TrackId] = ()


def choose(
    albums: Albums,
    weighted: WeightedCandidates,
    rules: PickRules,
    context: QueueContext,
    *,
    count: int,
    rng: Random,
) -> list[list[Pick]]:
    """Return up to `count` different albums, each with all its tracks, in no particular order."""
    candidates = weighted.candidates
    album_weights = weights(albums, weighted)
    by_track = track_guards(candidates, rules, context.now, context.removed)
    unqueued = np.ones(len(albums), dtype=bool)
    unqueued[_numbers_of(albums, candidates, context.queued)] = False
    unplayed = unqueued.copy()
    unplayed[_numbers_of(albums, candidates, context.played)] = False
    recent = list(context.recent)
    sound, previous = np.zeros((0, 0), np.float32), None
    last = candidates.row(recent[-1]) if recent else None
    if rules.flow and weighted.sound is not None and last is not None:
        sound, previous = _mean_sound(albums, weighted.sound), weighted.sound[last]
    chosen: list[list[Pick]] = []
    while len(chosen) < count and unqueued.any():
        available = unplayed if unplayed.any() else unqueued
        guards = by_track | spread_guards(candidates, rules, recent)
        flow = None if previous is None else flow_factor(sound, previous, rules.flow)
        flowing = album_weights if flow is None else album_weights * flow
        weight, relaxed = _guarded(albums, flowing, available, guards)
        album = draw(weight, rng)
        rows = albums.rows_of(album).tolist()
        why = _Chance(weight, album, int(np.count_nonzero(available)), relaxed, flow)
        chosen.append([why.pick(weighted, row, len(rows)) for row in rows])
        unqueued[album] = unplayed[album] = False
        recent += [candidates.track_id(row) for row in rows]
        previous = None if previous is None else sound[album]
    return chosen


def _mean_sound(albums: Albums, sound: Vectors) -> Vectors:
    """Return the mean vector of each album's tracks, `[m, k]`, of length 1, or 0 if unknown."""
    if not len(albums):
        return sound[:0]
    sums = np.add.reduceat(sound[albums.rows], albums.starts[:-1], axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(lengths > 0, lengths, 1), np.float32)


def _numbers_of(
    albums: Albums, candidates: Candidates, track_ids: Sequence[TrackId]
) -> NDArray[np.int64]:
    """Return the albums that have one of the tracks."""
    numbers = albums.of_track[candidates.rows(track_ids)]
    return np.asarray(numbers[numbers != NO_ALBUM], np.int64)


def _guarded(
    albums: Albums, album_weights: Floats, available: Bools, guards: Mapping[Guard, Bools]
) -> tuple[Floats, list[Guard]]:
    """Return the weights of the albums that the guards allow, and the relaxed guards."""
    sizes = np.diff(albums.starts)
    eligible = available & (album_weights > 0)
    if not eligible.any():
        eligible, album_weights = available, np.ones(len(albums))
    relaxed = []
    for guard, allowed_tracks in guards.items():
        allowed = albums.sums(allowed_tracks.astype(np.float64))
        share = 1.0 if guard in WHOLE_ALBUM_GUARDS else 0.5
        remaining = eligible & (allowed >= share * sizes)
        if remaining.any():
            eligible = remaining
        else:
            relaxed.append(guard)
    return np.where(eligible, album_weights, 0.0), relaxed


@dataclass(frozen=True, slots=True)
class _Chance:
    """Why an album was drawn: its weight and flow factor among those of all albums, `[m]`."""

    weights: Floats
    album: int
    available: int
    relaxed: Sequence[Guard]
    flow: Floats | None

    def pick(self, weighted: WeightedCandidates, row: int, tracks: int) -> Pick:
        """Return a track of the album, with its own factors and the album's weight and chance."""
        weight = float(self.weights[self.album])
        own = explain_unguarded(
            weighted,
            row,
            weight=weight,
            total=float(self.weights.sum()),
            heavier=int(np.count_nonzero(self.weights > weight)),
            available=self.available,
        )
        explanation: Explanation = replace(
            own,
            relaxed=[guard.value for guard in self.relaxed],
            flow_factor=1.0 if self.flow is None else float(self.flow[self.album]),
            album_tracks=tracks,
        )
        return Pick(weighted.candidates.track_id(row), explanation)


def play_order(
    uris: Mapping[TrackId, Uri], numbers: Mapping[Uri, tuple[int, int]]
) -> list[TrackId]:
    """Return the tracks of an album in the order of disc and track number.

    `numbers` has disc and track of those files that have a track number in their tags. The others
    follow, by folder and name, where numbers are compared as numbers.
    """

    def key(entry: tuple[TrackId, Uri]) -> tuple[object, ...]:
        uri = entry[1]
        folder, _, name = uri.rpartition("/")
        disc, track = numbers.get(uri, (1, LAST))
        return (disc, _natural(folder), track, _natural(name))

    return [track_id for track_id, _ in sorted(uris.items(), key=key)]


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts "2" before "10"."""
    return tuple(
        (int(part[:18]), "") if part.isdecimal() and part.isascii() else (-1, part)
        for part in NUMBER.split(text.casefold())
        if part
    )
