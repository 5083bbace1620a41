"""Error of the evaluator by embedder, on real songs that simulated listeners rate.

Listeners rate songs by their kind, by what another network hears in them, or by the features, and
are off by about a point from one day to the next. The evaluator gets nothing but the vectors; it
learns from some ratings and is judged on others, the same for every embedder.

The other network is the MusiCNN that was trained on MagnaTagATune, so that no embedder is judged by
its own tags. It lies in the wheel that pip downloads.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, TrackFeatures, Vectors
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.taste.models import cross_validation, model_selection, worker_tasks
from anagnorisisd.taste.models.inputs import prepare
from bench import song_embeddings
from bench.interleaved_runs import processes
from bench.likeness import kinds
from bench.simulated_listeners import (
    NOISE_POINTS,
    PLACE_DIMENSIONS,
    Integers,
    Library,
    training_set,
)
from bench.song_embeddings import FEATURES, Embedded, Embeddings

SEEDS, FULL_SEEDS = 6, 20
SIZES = (20, 50, 100, 200)
MIN_HELD_OUT = 40
LIKED_TAGS = 4
SPREAD_POINTS = 2.0

Rate = Callable[[np.random.Generator], Floats64]


def print_table(full: bool) -> None:
    """Print the table for the songs of `ANAGNORISIS_BENCH_MUSIC`; `full` asks more listeners."""
    with song_embeddings.songs() as (found, scratch):
        print(f"\n## By embedder: {len(found)} songs, only their sound is known\n")
        embeddings = song_embeddings.embed(found, scratch)
        tags = song_embeddings.other_tags(found, scratch)
        listeners = _listeners(embeddings, kinds(found), tags)
    sizes = [size for size in SIZES if len(found) >= size + MIN_HELD_OUT]
    if not sizes:
        print("There are too few songs to rate some and hold others out.")
        return
    seeds = FULL_SEEDS if full else SEEDS
    print(f"Error on held-out ratings / baseline error (rank correlation), {seeds} listeners each.")
    print("± is the standard error, over listeners, of the difference to the features.\n")
    print(f"| taste follows | embedding | {' | '.join(f'{size} ratings' for size in sizes)} |")
    print(f"|---|---|{'---|' * len(sizes)}")
    _print_rows(listeners, embeddings, sizes, seeds)
    print()


def _listeners(embeddings: Embeddings, kind: Integers, tags: Vectors | None) -> Mapping[str, Rate]:
    others: dict[str, Rate] = {
        "kinds": partial(_by_kind, kind),
        "some of the features": partial(_by_columns, embeddings[FEATURES].vectors),
    }
    if tags is None:
        return others
    return {"tags of another network": partial(_by_columns, tags)} | others


def _print_rows(
    listeners: Mapping[str, Rate], embeddings: Embeddings, sizes: list[int], seeds: int
) -> None:
    with processes(song_embeddings.PROCESSES) as pool:
        for listener, rate in listeners.items():
            under_way = {
                (name, size): [
                    pool.submit(judged, embedded, rate, size, seed) for seed in range(seeds)
                ]
                for name, embedded in embeddings.items()
                for size in sizes
            }
            done = {
                key: np.array([one.result() for one in results])
                for key, results in under_way.items()
            }
            for name in embeddings:
                cells = [_cell(done[name, size], done[FEATURES, size]) for size in sizes]
                print(f"| {listener} | {name} | {' | '.join(cells)} |", flush=True)


def _cell(ours: Floats64, theirs: Floats64) -> str:
    """Return error ratio and rank correlation of `[listeners, 2]` in words."""
    difference = ours[:, 0] - theirs[:, 0]
    error = difference.std(ddof=1) / len(difference) ** 0.5
    more = f" ± {error:.3f}" if error else ""
    return f"{ours[:, 0].mean():.3f}{more} ({ours[:, 1].mean():.2f})"


def _by_kind(kind: Integers, rng: np.random.Generator) -> Floats64:
    """Return ratings of somebody who likes some kinds more than others."""
    return _ratings(rng.normal(size=kind.max() + 1)[kind], rng)


def _by_columns(values: Vectors, rng: np.random.Generator) -> Floats64:
    """Return ratings of somebody to whom a few of the columns matter."""
    columns = values[:, rng.choice(values.shape[1], LIKED_TAGS, replace=False)]
    standardised = (columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-9)
    return _ratings(standardised @ rng.normal(size=LIKED_TAGS), rng)


def _ratings(liking: Floats64, rng: np.random.Generator) -> Floats64:
    """Return whole ratings, 0 to 10, about 6."""
    liking = 6.0 + SPREAD_POINTS * (liking - liking.mean()) / liking.std()
    liking = liking + NOISE_POINTS * rng.normal(size=len(liking))
    return np.asarray(np.clip(np.round(liking), 0, 10), np.float64)


def judged(embedded: Embedded, rate: Rate, size: int, seed: int) -> tuple[float, float]:
    """Return error ratio and rank correlation on the ratings that were held out."""
    rng = np.random.default_rng(seed)
    library = _library(embedded)
    ratings = rate(rng)
    order = rng.permutation(len(library))
    rated, held = order[:size], order[max(size, len(order) - max(SIZES)) :]
    examples = worker_tasks.examples(training_set(library, rated, ratings))
    inputs = prepare(library.tracks, library.feature_stats).take(held)
    predicted, base = (
        model.fit(model.search(examples, np.random.default_rng(0)), examples).predict(inputs)
        for model in (model_selection.DEFAULT, model_selection.BASELINE)
    )
    error = cross_validation.mean_absolute_error(base, ratings[held])
    metrics = cross_validation.metrics(predicted, ratings[held], error, {})
    return metrics.error_ratio, metrics.rank_correlation


def _library(embedded: Embedded) -> Library:
    """Return untagged tracks, each in a folder of its own: only the sound tells anything."""
    names = [f"{row:032x}" for row in range(len(embedded.vectors))]
    tracks = TrackFeatures(
        track_ids=[TrackId(name) for name in names],
        vectors=np.ascontiguousarray(embedded.vectors),
        tags=[Tags()] * len(names),
        uris=[Uri(f"{name}/{name}/{name}") for name in names],
    )
    nothing = np.zeros(len(names), np.int64)
    places = np.zeros((len(names), PLACE_DIMENSIONS))
    return Library(tracks, places, nothing, nothing, embedded.segments)
