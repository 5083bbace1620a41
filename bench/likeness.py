"""How often the nearest song is of the same kind, artist or album, and what each embedder costs.

A kind is a folder: an artist of the demo library, or what lies at the top of the music that
`ANAGNORISIS_BENCH_MUSIC` names. Artists and albums are those of the tags. *Nearest* is what
`anagnorisis similar` computes.
"""

import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import mutagen
import numpy as np

from anagnorisisd.domain.evaluator import FeatureStats, Vectors
from anagnorisisd.embedding.musicnn import weights
from anagnorisisd.taste.nearest_tracks import similarities
from bench import competitors, song_embeddings
from bench.interleaved_runs import Make, processes, run_interleaved
from bench.simulated_listeners import Integers

UNKNOWN = ""
MIN_SONGS = 20
"""With fewer songs of which another has the same artist, a share says little."""
TIMED_SONGS = 8


def run(full: bool) -> None:
    """Print both tables; there is no larger form."""
    with song_embeddings.songs() as (found, scratch):
        labels = {"kind": kinds(found), **_tags(found)}
        embeddings = song_embeddings.embed(found, scratch)
        print(f"# Likeness: {len(found)} songs of {len(set(labels['kind'].tolist()))} kinds\n")
        print("Share of the songs whose nearest other song is of the same")
        print(f"| embedding | dimensions | {' | '.join(labels)} |")
        print(f"|---|---|{'---|' * len(labels)}")
        for name, embedded in embeddings.items():
            print(_row(name, embedded.vectors, list(labels.values())))
        if bliss := _bliss(found, list(labels.values())):
            print(bliss)
        print()
        _print_costs(found, scratch)


def kinds(found: Sequence[Path]) -> Integers:
    """Return the number of each song's kind, `[songs]`."""
    top = Path(os.path.commonpath(found))
    return _numbered([path.relative_to(top).parts[0] for path in found])


def _tags(found: Sequence[Path]) -> dict[str, Integers]:
    """Return the numbers of artist and album of each song, -1 if unknown; none if few are known."""
    labels = {}
    for name in ("artist", "album"):
        numbers = _numbered([_tag(path, name) for path in found])
        known = numbers[numbers >= 0]
        if np.sum(np.bincount(known)[known] > 1) >= MIN_SONGS if len(known) else False:
            labels[name] = numbers
    return labels


def _tag(path: Path, name: str) -> str:
    opened = mutagen.File(path, easy=True)
    values = (opened.get(name) if opened is not None else None) or [UNKNOWN]
    return str(values[0]).strip().casefold()


def _numbered(names: Sequence[str]) -> Integers:
    known = sorted(set(names) - {UNKNOWN})
    places = {name: number for number, name in enumerate(known)}
    return np.array([places.get(name, -1) for name in names], np.int64)


def _row(name: str, vectors: Vectors, labels: Sequence[Integers]) -> str:
    shares = [f"{neighbour_share(vectors, numbers):.0%}" for numbers in labels]
    return f"| {name} | {vectors.shape[1]} | {' | '.join(shares)} |"


def neighbour_share(vectors: Vectors, labels: Integers) -> float:
    """Return for which share of the songs the most similar other one has the same label.

    Only songs with a label (0 or more) that another song has, too, are counted.
    """
    feature_stats = FeatureStats(vectors.mean(axis=0), vectors.std(axis=0), len(vectors))
    alike = np.stack([similarities(vector, vectors, feature_stats) for vector in vectors])
    np.fill_diagonal(alike, -np.inf)
    counted = np.array([(labels == label).sum() > 1 and label >= 0 for label in labels])
    same = labels[alike.argmax(axis=1)] == labels
    return float(np.mean(same[counted])) if counted.any() else float("nan")


def _bliss(found: Sequence[Path], labels: Sequence[Integers]) -> str:
    """Return the row of bliss-audio; nothing where it is not installed."""
    if not find_spec("bliss_audio"):
        return ""
    with processes(song_embeddings.PROCESSES) as pool:
        try:
            vectors = np.array(list(pool.map(competitors.bliss, found)), np.float32)
        except BrokenProcessPool:
            return f"| bliss-audio | | crashes on this CPU |{' |' * (len(labels) - 1)}"
    return _row("bliss-audio", vectors, labels)


def _print_costs(found: Sequence[Path], scratch: Path) -> None:
    """Print what a track costs with each embedder, decoding included, in one process each."""
    ways: dict[str, Make] = {
        song_embeddings.FEATURES: partial(partial, song_embeddings.features_of)
    }
    if weights.PACKAGED.exists():
        ways[song_embeddings.BOTH] = partial(partial, song_embeddings.musicnn_of)
    if model := song_embeddings.random_mert(scratch):
        ways[song_embeddings.RANDOM_MERT] = partial(partial, song_embeddings.mert_of, model)
    timed = list(found[:: max(1, len(found) // TIMED_SONGS)][:TIMED_SONGS])
    measured = run_interleaved(ways, timed)
    ours = measured[song_embeddings.FEATURES]
    print(f"Cost of {len(timed)} of these songs, one thread, medians\n")
    print("| embedder | CPU s per track | relative | peak MB |\n|---|---|---|---|")
    for name, one in measured.items():
        relative = one.processor_seconds / ours.processor_seconds
        print(
            f"| {name} | {one.processor_seconds:.2f} | {relative:.1f} | {one.peak_megabytes:.0f} |"
        )
    print()
