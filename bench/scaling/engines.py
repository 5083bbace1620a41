"""Nearest neighbour search with an in-memory index (FAISS), to compare with the daemon's scan."""

import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 10
QUERIES = 50
CLUSTERS = 200
"""Songs form clusters; an index finds little in pure noise."""


def rows(tracks: int, dimension: int) -> Iterator[str]:
    """Yield a table row for each index: build time, query time, memory and recall."""
    if find_spec("faiss") is None:
        return
    faiss = import_module("faiss")
    faiss.omp_set_num_threads(1)
    vectors = _clustered_vectors(tracks, dimension)
    asked = vectors[:QUERIES]
    lists = max(16, int(4 * np.sqrt(tracks)))
    wanted: NDArray[np.int64] | None = None
    for name, factory in (
        ("flat (exact)", "Flat"),
        (f"IVF, {lists} lists, 8 probed", f"IVF{lists},Flat"),
        ("HNSW, M = 32", "HNSW32"),
    ):
        index = faiss.index_factory(dimension, factory)
        began = time.perf_counter()
        index.train(vectors[: 40 * lists])
        index.add(vectors)
        built = time.perf_counter() - began
        if "IVF" in factory:
            index.nprobe = 8
        began = time.perf_counter()
        found = np.concatenate([index.search(one[np.newaxis], NEIGHBOURS)[1] for one in asked])
        took = (time.perf_counter() - began) / QUERIES
        wanted = found if wanted is None else wanted
        share = np.mean(
            [np.isin(one, other).mean() for one, other in zip(wanted, found, strict=True)]
        )
        size = len(faiss.serialize_index(index)) / tracks
        yield f"| FAISS {name} | {built:.1f} | {1000 * took:.2f} | {size:,.0f} | {share:.0%} |"


def _clustered_vectors(tracks: int, dimension: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CLUSTERS, dimension), np.float32)
    vectors = rng.standard_normal((tracks, dimension), np.float32)
    return centres[rng.integers(CLUSTERS, size=tracks)] + 0.5 * vectors
