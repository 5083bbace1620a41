"""How well the features tell music apart, and taste from it, beside bliss-audio.

Simulated listeners like some kinds of music more than others, to a random degree, and are off by
about a point from one day to the next. The evaluator hears nothing but the vectors: half of the
ratings teach it, it is judged on the others, and both get the same ratings and the same halves.
A kind is a folder: an artist of the demo library, or what lies at the top of the music that
`ANAGNORISIS_BENCH_MUSIC` names.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anagnorisisd.domain.evaluator import TrackFeatures, Vectors
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.embedding import features
from anagnorisisd.taste.models import metrics, model_selection, worker_tasks
from anagnorisisd.taste.models.features import prepare
from bench import competitors
from bench.interleaved_runs import processes
from bench.simulated_listeners import (
    PLACE_DIMENSIONS,
    Integers,
    Library,
    SimulatedListener,
    training_set,
)
from bench.songs import of_listener
from tools.demo import library as demo

SEEDS, FULL_SEEDS = 16, 64
PROCESSES = 2
LISTENER = SimulatedListener(style=2.0, direction=0.0, artist=0.0)
OURS = "features (ours)"


def run(full: bool) -> None:
    """Print how both do; `full` asks more listeners."""
    with tempfile.TemporaryDirectory() as scratch:
        found = of_listener()
        if not found:
            demo.make(Path(scratch))
            found = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        kinds = _kinds(found)
        ways = {OURS: _features_of} | (
            {"bliss-audio": _bliss_of} if find_spec("bliss_audio") else {}
        )
        made, crashed = _made(ways, found)
    seeds = range(FULL_SEEDS if full else SEEDS)
    ratios = {
        name: np.array([_error_ratio(vectors, kinds, seed) for seed in seeds])
        for name, vectors in made.items()
    }
    print(f"# Telling music apart: {len(found)} songs of {len(set(kinds.tolist()))} kinds\n")
    print(
        "| vectors | nearest is of the same kind | held-out error, of the mean's | more than ours |"
    )
    print("|---|---|---|---|")
    for name, ratio in ratios.items():
        more = ratio - ratios[OURS]
        print(
            f"| {name} | {_alike(made[name], kinds):.0%} | {ratio.mean():.3f} "
            f"| {more.mean():.3f} ± {more.std(ddof=1) / len(more) ** 0.5:.3f} |"
        )
    for name in crashed:
        print(f"| {name} | crashes on this processor |  |  |")
    print()


def _made(
    ways: Mapping[str, Callable[[Path], Vectors]], found: Sequence[Path]
) -> tuple[dict[str, Vectors], list[str]]:
    """Return the vectors of each way, and the ways whose processes crashed."""
    made, crashed = {}, []
    for name, way in ways.items():
        with processes(PROCESSES) as pool:
            try:
                made[name] = np.stack(list(pool.map(way, found)))
            except BrokenProcessPool:
                if name == OURS:
                    raise
                crashed.append(name)
    return made, crashed


def _features_of(path: Path) -> Vectors:
    return features.embed(str(path))


def _bliss_of(path: Path) -> Vectors:
    return np.array(competitors.bliss(path), np.float32)


def _kinds(found: list[Path]) -> Integers:
    """Return the number of each song's kind, `[songs]`."""
    top = Path(os.path.commonpath(found))
    names = [path.relative_to(top).parts[0] for path in found]
    _, kinds = np.unique(names, return_inverse=True)
    return np.asarray(kinds, np.int64)


def _alike(vectors: Vectors, kinds: Integers) -> float:
    """Return for which share of the songs the nearest other one is of the same kind."""
    library = _library(vectors, kinds)
    sound = prepare(library.tracks, library.moments).sound
    apart = np.linalg.norm(sound[:, np.newaxis] - sound, axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.mean(kinds[apart.argmin(axis=1)] == kinds))


def _error_ratio(vectors: Vectors, kinds: Integers, seed: int) -> float:
    """Return the error on held-out ratings of one listener, as a ratio to the mean rating's."""
    rng = np.random.default_rng(seed)
    library = _library(vectors, kinds)
    ratings = LISTENER.rate(library, rng)
    rated, held = np.array_split(rng.permutation(len(kinds)), 2)
    examples = worker_tasks.examples(training_set(library, rated, ratings))
    inputs = prepare(library.tracks, library.moments).take(held)
    errors = []
    for candidate in (model_selection.DEFAULT, model_selection.BASELINE):
        settings = candidate.search(examples, np.random.default_rng(0))
        opinion = candidate.fit(settings, examples).predict(inputs)
        errors.append(metrics.mean_absolute_error(opinion, ratings[held]))
    return errors[0] / errors[1]


def _library(vectors: Vectors, kinds: Integers) -> Library:
    """Return untagged tracks, each in a folder of its own: nothing but sound tells of the kind."""
    names = [f"{row:032x}" for row in range(len(kinds))]
    tracks = TrackFeatures(
        track_ids=[TrackId(name) for name in names],
        vectors=vectors,
        tags=[Tags()] * len(names),
        uris=[Uri(f"{name}/{name}/{name}") for name in names],
    )
    # The listener goes by the kind alone; a place is asked for, and has no weight.
    place = np.random.default_rng(0).normal(size=(len(kinds), PLACE_DIMENSIONS))
    return Library(tracks, place, kinds, np.zeros(len(kinds), np.int64))
