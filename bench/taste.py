"""How well taste is learnt, and what learning and scoring cost.

For each size, listener and seed, some tracks of a library are rated, and 500 others are held
out. Every model sees the same rated tracks and is judged on the same held-out ones. "ours" is
what the daemon uses: the winner of the competition among its candidates, chosen without a look
at what is held out here.

By default the libraries are synthetic (`bench/listeners.py`), with embeddings of two sizes. Set
`ANAGNORISIS_BENCH_STATE` to a state directory of the daemon to use the songs embedded there.
"""

import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from anagnorisisd.domain.evaluation import Floats64, Metrics
from anagnorisisd.ml.evaluator import competition, measure, tasks
from anagnorisisd.ml.evaluator.candidate import Candidate, Fitted
from anagnorisisd.ml.evaluator.inputs import Examples, prepare
from anagnorisisd.ml.evaluator.perceptron import Perceptron
from bench.listeners import (
    LISTENERS,
    Integers,
    Library,
    embedded_library,
    synthetic_library,
    training_set,
)

SIZES = (20, 50, 100, 200, 500)
HELD_OUT = 500
DIMENSIONS = (150, 768)
SEEDS, FULL_SEEDS = 2, 8
BATCH = 4096

ORIGINAL = Perceptron(most_epochs=300, patience=300)
"""The perceptron trained the original way: 300 epochs whatever happens, the best one kept."""


def run(full: bool) -> None:
    """Print both tables; `full` takes more seeds, sizes and tracks."""
    threadpool_limits(1)
    state = os.environ.get("ANAGNORISIS_BENCH_STATE")
    seeds = FULL_SEEDS if full else SEEDS
    if state:
        library = embedded_library(Path(state))
        _taste(f"{len(library)} embedded songs", SIZES, seeds, lambda _: library)
    else:
        for dimension in DIMENSIONS if full else DIMENSIONS[:1]:
            _taste(
                f"synthetic library, embeddings of {dimension}",
                SIZES if full else SIZES[:-1],
                seeds,
                lambda rng, size=dimension: synthetic_library(1500, size, rng),  # type: ignore[misc]
            )
    _cost(full)


def _taste(
    title: str,
    sizes: Iterable[int],
    seeds: int,
    library_of: Callable[[np.random.Generator], Library],
) -> None:
    print(f"\nTaste: {title}; {len(LISTENERS)} listeners, {seeds} seeds each")
    print("held-out error as a ratio to the mean's (rank correlation; share within one deviation)")
    for size in sizes:
        found: dict[str, list[Metrics]] = defaultdict(list)
        for seed in range(seeds):
            rng = np.random.default_rng([seed, size])
            library = library_of(rng)
            if size + 30 > len(library):
                continue
            for listener in LISTENERS.values():
                ratings = listener.rate(library, rng)
                order = rng.permutation(len(library))
                for name, metrics in _judged(library, ratings, order, size).items():
                    found[name].append(metrics)
        if found:
            print(f"{size:4d} ratings  " + "  ".join(map(_summary, found, found.values())))


def _judged(library: Library, ratings: Floats64, order: Integers, size: int) -> dict[str, Metrics]:
    """Return how each model does on the same held-out tracks."""
    rated, held = order[:size], order[size:][-HELD_OUT:]
    inputs = prepare(library.tracks, library.moments)
    examples = tasks.examples(training_set(library, rated, ratings))
    models: dict[str, Fitted] = {
        "ours": competition.compete(examples, seed=size).fitted,
        "mean": _fitted(competition.MEAN, examples),
        "neighbours": _fitted(competition.named("neighbours"), examples),
        "perceptron": _fitted(ORIGINAL, examples),
    }
    opinions = {name: model.predict(inputs.take(held)) for name, model in models.items()}
    base = measure.error(opinions["mean"], ratings[held])
    return {
        name: measure.metrics(opinion, ratings[held], base, {})
        for name, opinion in opinions.items()
    }


def _fitted(candidate: Candidate, examples: Examples) -> Fitted:
    return candidate.fit(candidate.search(examples, np.random.default_rng(0)), examples)


def _summary(name: str, metrics: list[Metrics]) -> str:
    ratio = np.mean([each.error_ratio for each in metrics])
    rank = np.mean([each.rank_correlation for each in metrics])
    within = np.mean([each.within_one for each in metrics])
    return f"{name} {ratio:.2f} ({rank:.2f}; {within:.0%})"


def _cost(full: bool) -> None:
    print("\nCost: one thread, embeddings of 768, the worst case of a Gaussian process")
    print("ratings  tracks   search      fit    score   peak memory")
    for ratings in (100, 1000, 5000):
        for tracks in (10_000, 100_000) if full else (10_000,):
            # A process of its own: peak memory never comes down again.
            script = f"from bench.taste import cost; cost({ratings}, {tracks})"
            subprocess.run([sys.executable, "-c", script], check=True)


def cost(ratings: int, tracks: int) -> None:
    """Print what searching, fitting and scoring take for that many ratings and tracks."""
    threadpool_limits(1)
    rng = np.random.default_rng(0)
    library = synthetic_library(max(ratings, BATCH), 768, rng)
    given = LISTENERS["sound and artists"].rate(library, rng)
    training = training_set(library, np.arange(ratings), given)
    examples = tasks.examples(training)
    process = competition.FAVOURITE
    started = time.perf_counter()
    settings = process.search(examples, rng)
    searched = time.perf_counter()
    model = tasks.dump(process.kind, settings, process.fit(settings, examples), training)
    fitted = time.perf_counter()
    for _ in range(0, tracks, BATCH):
        tasks.predict(model, library.tracks)
    scored = time.perf_counter()
    batches = -(-tracks // BATCH)
    score = (scored - fitted) * tracks / (batches * len(library))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{ratings:7d} {tracks:7d} {searched - started:7.2f}s {fitted - searched:7.2f}s"
        f" {score:7.2f}s {peak:8.0f} MB"
    )
