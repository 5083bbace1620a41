"""Error of the evaluator on held-out ratings, compared with simpler models.

For each number of ratings, listener and seed, some tracks of a library are rated, and up to 500
others are held out. Every model is trained on the same rated tracks and tested on the same held-out
ones. "evaluator" is what the daemon uses: the model that its own cross-validation selects.

By default the libraries are synthetic (`bench/simulated_listeners.py`). With
`ANAGNORISIS_BENCH_MUSIC`, embedders are compared on the songs there (`bench/taste_by_embedder.py`).
Set `ANAGNORISIS_BENCH_STATE` to a state directory of the daemon to use the songs embedded there, as
they are and projected to 768 dimensions.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, Metrics
from anagnorisisd.taste.models import cross_validation, model_selection, worker_tasks
from anagnorisisd.taste.models.inputs import Examples, prepare
from anagnorisisd.taste.models.mlp import MLP
from anagnorisisd.taste.models.model import FittedModel, Model
from bench import taste_by_embedder
from bench.interleaved_runs import processes
from bench.music_files import own_songs
from bench.simulated_listeners import (
    LISTENERS,
    Integers,
    Library,
    embedded_library,
    projected,
    synthetic_library,
    training_set,
)

SIZES = (20, 50, 100, 200, 500)
HELD_OUT, MIN_HELD_OUT = 500, 100
TRACKS = 1500
FEATURES, OTHER = 150, 768
SEEDS, FULL_SEEDS = 2, 4

ORIGINAL = MLP(max_epochs=300, patience=300)
"""The perceptron trained the original way: 300 epochs whatever happens, the best one kept."""


@dataclass(frozen=True)
class Music:
    """Where tracks come from: a state directory, or a synthesiser; and the embeddings' size."""

    state: Path | None
    dimension: int | None

    @property
    def title(self) -> str:
        """What it is, in words."""
        size = "as embedded" if self.dimension is None else f"embeddings of {self.dimension}"
        return f"{'synthetic library' if self.state is None else 'embedded songs'}, {size}"

    def library(self, rng: np.random.Generator) -> Library:
        """Return a library; real songs are always the same."""
        if self.state is None:
            return synthetic_library(TRACKS, self.dimension or FEATURES, rng)
        library = _embedded(self.state)
        return library if self.dimension is None else projected(library, self.dimension, rng)


def run(full: bool) -> None:
    """Print a table for each kind of music; `full` takes more seeds and both sizes of vectors."""
    state = os.environ.get("ANAGNORISIS_BENCH_STATE")
    if state:
        kinds = [Music(Path(state), None), Music(Path(state), OTHER)]
    else:
        kinds = [Music(None, FEATURES), Music(None, OTHER)]
    seeds = FULL_SEEDS if full else SEEDS
    print(f"# Taste: {len(LISTENERS)} simulated listeners, {seeds} libraries or draws each\n")
    print("Mean absolute error on held-out ratings / baseline error (rank correlation; share of")
    print("ratings within one standard deviation), ± standard error over listeners and draws.")
    with processes(len(os.sched_getaffinity(0))) as pool:
        for music in kinds if full or state else kinds[:1]:
            _table(music, seeds, pool)
    if own_songs():
        taste_by_embedder.print_table(full)


def _table(music: Music, seeds: int, pool: ProcessPoolExecutor) -> None:
    print(f"\n## {music.title}\n")
    draws = list(product(range(seeds), LISTENERS))
    # The longest first, so that no core waits for another in the end.
    under_way = {
        size: [pool.submit(judged, music, size, seed, listener) for seed, listener in draws]
        for size in reversed(SIZES)
    }
    header: Sequence[str] = ()
    for size in SIZES:
        found = [metrics for future in under_way[size] if (metrics := future.result())]
        if not found:
            print(f"\nThere are too few tracks to rate {size} of them and hold others out.")
            continue
        if not header:
            header = list(found[0])
            print(f"| ratings | {' | '.join(header)} |\n|{'---|' * (len(header) + 1)}")
        cells = [_summary([each[name] for each in found]) for name in header]
        print(f"| {size} | {' | '.join(cells)} |", flush=True)


def judged(music: Music, size: int, seed: int, listener: str) -> Mapping[str, Metrics]:
    """Return how each model does on the same held-out tracks; nothing if there are too few."""
    rng = np.random.default_rng([seed, size])
    library = music.library(rng)
    if size + MIN_HELD_OUT > len(library):
        return {}
    draws = np.random.default_rng([seed, size, list(LISTENERS).index(listener)])
    ratings = LISTENERS[listener].rate(library, draws)
    order = draws.permutation(len(library))
    return _metrics(library, ratings, order[:size], order[size:][-HELD_OUT:])


def _metrics(
    library: Library, ratings: Floats64, rated: Integers, held: Integers
) -> dict[str, Metrics]:
    inputs = prepare(library.tracks, library.feature_stats)
    examples = worker_tasks.examples(training_set(library, rated, ratings))
    models: dict[str, FittedModel] = {
        "evaluator": model_selection.train(examples, seed=len(rated)).fitted,
        "mean": _fitted(model_selection.BASELINE, examples),
        "neighbours": _fitted(model_selection.model_of_kind("neighbours"), examples),
        "perceptron": _fitted(ORIGINAL, examples),
    }
    opinions = {name: model.predict(inputs.take(held)) for name, model in models.items()}
    base = cross_validation.mean_absolute_error(opinions["mean"], ratings[held])
    return {
        name: cross_validation.metrics(opinion, ratings[held], base, {})
        for name, opinion in opinions.items()
    }


def _fitted(candidate: Model, examples: Examples) -> FittedModel:
    return candidate.fit(candidate.search(examples, np.random.default_rng(0)), examples)


def _summary(metrics: Sequence[Metrics]) -> str:
    ratios = np.array([each.error_ratio for each in metrics])
    error = ratios.std(ddof=1) / np.sqrt(len(ratios))
    rank = np.mean([each.rank_correlation for each in metrics])
    within = np.mean([each.within_one_stddev for each in metrics])
    return f"{ratios.mean():.2f} ± {error:.2f} ({rank:.2f}; {within:.0%})"


@cache
def _embedded(state: Path) -> Library:
    return embedded_library(state)
