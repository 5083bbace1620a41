"""Choosing from candidates in tests: weighted on the fly, with random libraries and rules."""

from random import Random

from hypothesis import strategies as st

from anagnorisisd.domain.pick import Candidates, Explanation, Floats, Pick
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import weigh
from tests.support.candidates import NEVER, NONE, NOW, candidates, name

ALONE = PickContext(NOW)
PLAIN = PickRules()


def rng(seed: int = 1) -> Random:
    """Return a seeded random generator."""
    return Random(seed)


def choose(
    found: Candidates, rules: PickRules, context: PickContext, count: int, rng: Random
) -> list[Pick]:
    """Compute the weights, and choose."""
    return chooser.choose(weigh(found), rules, context, count, rng)


def probabilities(found: Candidates, rules: PickRules, context: PickContext) -> Floats:
    """Score, and return the probabilities."""
    return chooser.probabilities(weigh(found), rules, context)


def explain(
    found: Candidates, rules: PickRules, context: PickContext, track_id: TrackId
) -> Explanation | None:
    """Compute the weights, and explain."""
    return chooser.explain(weigh(found), rules, context, track_id)


def explained(found: Candidates, rules: PickRules, context: PickContext, row: int) -> Explanation:
    """Return the explanation of the track in a row."""
    explanation = explain(found, rules, context, name(row))
    assert explanation is not None
    return explanation


codes = st.sampled_from([0, 1, 2, -1, -(2**63), 2**63 - 1])
"""Codes of artists and albums: any signed number of 64 bits; 0 means unknown."""


@st.composite
def libraries(draw: st.DrawFn) -> Candidates:
    """Generate small libraries with every kind of track."""
    count = draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return candidates(
        count,
        rating=column(st.sampled_from([NONE, 0, 3, 10])),
        predicted=column(st.sampled_from([NONE, 2.5, 8])),
        stddev=1.0,
        full_plays=column(st.integers(0, 50)),
        skips=column(st.sampled_from([0, 5, 100_000])),
        last_played_at=column(st.sampled_from([NEVER, NOW - 5e6, NOW - 60, NOW + 1e9])),
        duration_seconds=column(st.sampled_from([NONE, 10, 200, 5000])),
        artist=draw(st.lists(codes, min_size=count, max_size=count)),
        album=draw(st.lists(codes, min_size=count, max_size=count)),
        excluded=draw(st.lists(st.booleans(), min_size=count, max_size=count)),
    )


pick_rules = st.builds(
    PickRules,
    min_hours_between_plays=st.sampled_from([0.0, 24.0]),
    artist_spread=st.integers(0, 3),
    album_spread=st.integers(0, 3),
    min_seconds=st.sampled_from([0.0, 30.0]),
    max_seconds=st.sampled_from([0.0, 1200.0]),
    explore=st.sampled_from([0.0, 0.5]),
)
neighbours = st.lists(st.integers(0, 14).map(name), max_size=6)
contexts = st.builds(
    PickContext, st.just(NOW), queued=neighbours, recent=neighbours, removed=neighbours
)
