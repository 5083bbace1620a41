"""How well embeddings tell music apart, and taste from it: features, MusiCNN, both, bliss-audio.

Simulated listeners rate songs by their kind, by what another network hears in them, or by the
features, and are off by about a point from one day to the next. The evaluator gets nothing but the
vectors; it learns from some ratings and is judged on others, the same for every embedder.

- A kind is a folder: an artist of the demo library, or what lies at the top of the music that
  `ANAGNORISIS_BENCH_MUSIC` names.
- The other network is the MusiCNN that was trained on MagnaTagATune, so that no embedder is judged
  by its own tags. It lies in the wheel that pip downloads.
"""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, TrackFeatures, Vectors
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.embedding import features
from anagnorisisd.embedding.decode import read_windows
from anagnorisisd.embedding.fetch_model import download_wheel
from anagnorisisd.embedding.musicnn import plan, weights
from anagnorisisd.embedding.musicnn.network import Network
from anagnorisisd.embedding.spectral_features import RATE
from anagnorisisd.errors import DownloadFailed
from anagnorisisd.taste.models import cross_validation, model_selection, worker_tasks
from anagnorisisd.taste.models.inputs import prepare
from bench import competitors
from bench.interleaved_runs import processes
from bench.music_files import own_songs
from bench.simulated_listeners import (
    NOISE_POINTS,
    PLACE_DIMENSIONS,
    Integers,
    Library,
    training_set,
)
from tools.demo import library as demo

SEEDS, FULL_SEEDS = 6, 20
SIZES = (20, 50, 100, 200)
MIN_HELD_OUT = 40
PROCESSES = 2
MTT = "musicnn/MTT_musicnn/.data-00000-of-00001"
MTT_SHA256 = "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab"
LIKED_TAGS = 4
SPREAD_POINTS = 2.0

Embeddings = Mapping[str, Vectors]


def run(full: bool) -> None:
    """Print both tables; `full` asks more listeners."""
    with tempfile.TemporaryDirectory() as scratch:
        found = own_songs()
        if not found:
            demo.make(Path(scratch))
            found = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        kinds = _kinds(found)
        with processes(PROCESSES) as pool:
            embeddings = _embeddings(pool, found)
            tags = other_tags(pool, found, Path(scratch))
    print(f"# Telling music apart: {len(found)} songs of {len(set(kinds.tolist()))} kinds\n")
    print("| vectors | dimensions | nearest is of the same kind |\n|---|---|---|")
    for name, vectors in embeddings.items():
        print(f"| {name} | {vectors.shape[1]} | {_neighbour_share(vectors, kinds):.0%} |")
    if bliss := _bliss(found):
        print(bliss)
    _print_taste(embeddings, kinds, tags, FULL_SEEDS if full else SEEDS)


def _embeddings(pool: ProcessPoolExecutor, found: Sequence[Path]) -> Embeddings:
    if not weights.PACKAGED.exists():
        print("The weights of MusiCNN are missing: `make setup`.\n")
        return {"features": np.stack(list(pool.map(_features_of, found)))}
    both = np.stack(list(pool.map(_musicnn_of, found)))
    size = features.STAMP.dimension
    return {
        "features": both[:, :size],
        "MusiCNN alone": both[:, size:],
        "musicnn (both)": both,
    }


def _features_of(path: Path) -> Vectors:
    return features.embed(str(path))


def _musicnn_of(path: Path) -> Vectors:
    return plan.embed(str(path), str(weights.PACKAGED))


def other_tags(pool: ProcessPoolExecutor, found: Sequence[Path], scratch: Path) -> Vectors | None:
    """Return the tag logits of the network trained on MagnaTagATune, `[songs, 50]`."""
    try:
        wheel = download_wheel(scratch)
    except DownloadFailed as error:
        print(f"No listeners who like another network's tags: {error}.\n")
        return None
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MTT)
    assert hashlib.sha256(content).hexdigest() == MTT_SHA256
    (scratch / "mtt").write_bytes(content)
    return np.stack(list(pool.map(partial(_tags_of, scratch / "mtt"), found)))


def _tags_of(checkpoint: Path, path: Path) -> Vectors:
    windows = read_windows(
        str(path), rate=RATE, seconds=features.WINDOW_SECONDS, count=features.WINDOWS
    )
    return plan.describe(windows, _network(checkpoint))[1]


@cache
def _network(checkpoint: Path) -> Network:
    return Network(weights.arrays_in(checkpoint.read_bytes()))


def _bliss(found: Sequence[Path]) -> str:
    """Return the row of bliss-audio; nothing where it is not installed."""
    if not find_spec("bliss_audio"):
        return ""
    with processes(PROCESSES) as pool:
        try:
            vectors = np.array(list(pool.map(competitors.bliss, found)), np.float32)
        except BrokenProcessPool:
            return "| bliss-audio | | crashes on this CPU |"
    share = _neighbour_share(vectors, _kinds(list(found)))
    return f"| bliss-audio | {vectors.shape[1]} | {share:.0%} |"


def _kinds(found: list[Path]) -> Integers:
    """Return the number of each song's kind, `[songs]`."""
    top = Path(os.path.commonpath(found))
    names = [path.relative_to(top).parts[0] for path in found]
    _, kinds = np.unique(names, return_inverse=True)
    return np.asarray(kinds, np.int64)


def _neighbour_share(vectors: Vectors, kinds: Integers) -> float:
    """Return for which share of the songs the nearest other one is of the same kind."""
    library = _library(vectors)
    sound = prepare(library.tracks, library.feature_stats).sound
    apart = np.linalg.norm(sound[:, np.newaxis] - sound, axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.mean(kinds[apart.argmin(axis=1)] == kinds))


def _print_taste(embeddings: Embeddings, kinds: Integers, tags: Vectors | None, seeds: int) -> None:
    print("\n## Held-out error as a ratio to the baseline's (rank correlation)\n")
    print("± is the standard error, over listeners, of the difference to the features.\n")
    listeners: dict[str, Callable[[np.random.Generator], Floats64]] = {
        "kinds": partial(_by_kind, kinds),
        "some of the features": partial(_by_columns, embeddings["features"]),
    }
    if tags is not None:
        listeners = {"tags of another network": partial(_by_columns, tags)} | listeners
    sizes = [size for size in SIZES if len(kinds) >= size + MIN_HELD_OUT]
    if not sizes:
        print("There are too few songs to rate some and hold others out.")
        return
    print(f"| taste follows | vector | {' | '.join(f'{size} ratings' for size in sizes)} |")
    print(f"|---|---|{'---|' * len(sizes)}")
    with processes(PROCESSES) as pool:
        for listener, rate in listeners.items():
            under_way = {
                (name, size): [
                    pool.submit(_judged, vectors, rate, size, seed) for seed in range(seeds)
                ]
                for name, vectors in embeddings.items()
                for size in sizes
            }
            done = {
                key: np.array([one.result() for one in results])
                for key, results in under_way.items()
            }
            for name in embeddings:
                cells = [_cell(done[name, size], done["features", size]) for size in sizes]
                print(f"| {listener} | {name} | {' | '.join(cells)} |", flush=True)
    print()


def _cell(ours: Floats64, theirs: Floats64) -> str:
    """Return error ratio and rank correlation of `[listeners, 2]` in words."""
    difference = ours[:, 0] - theirs[:, 0]
    error = difference.std(ddof=1) / len(difference) ** 0.5
    more = f" ± {error:.3f}" if error else ""
    return f"{ours[:, 0].mean():.3f}{more} ({ours[:, 1].mean():.2f})"


def _by_kind(kinds: Integers, rng: np.random.Generator) -> Floats64:
    """Return ratings of somebody who likes some kinds more than others."""
    return _ratings(rng.normal(size=kinds.max() + 1)[kinds], rng)


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


def _judged(
    vectors: Vectors, rate: Callable[[np.random.Generator], Floats64], size: int, seed: int
) -> tuple[float, float]:
    """Return error ratio and rank correlation on the ratings that were held out."""
    rng = np.random.default_rng(seed)
    library = _library(vectors)
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
    judged = cross_validation.metrics(predicted, ratings[held], error, {})
    return judged.error_ratio, judged.rank_correlation


def _library(vectors: Vectors) -> Library:
    """Return untagged tracks, each in a folder of its own: only the sound tells anything."""
    names = [f"{row:032x}" for row in range(len(vectors))]
    tracks = TrackFeatures(
        track_ids=[TrackId(name) for name in names],
        vectors=np.ascontiguousarray(vectors),
        tags=[Tags()] * len(names),
        uris=[Uri(f"{name}/{name}/{name}") for name in names],
    )
    nothing = np.zeros(len(names), np.int64)
    return Library(tracks, np.zeros((len(names), PLACE_DIMENSIONS)), nothing, nothing)
