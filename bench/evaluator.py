"""Time and memory of training and prediction, by number of ratings and tracks.

The worst case: a Gaussian process on embeddings of 768 dimensions in two segments, without earlier
results. Search and fit have one thread, as in the daemon's worker; prediction uses all cores.
"""

import resource
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from anagnorisisd.taste.models import model_selection, worker_tasks
from anagnorisisd.workers.worker_main import limit_threads
from bench.simulated_listeners import LISTENERS, synthetic_library, training_set

DIMENSION, SEGMENTS = 768, (256, 512)
RATINGS = (100, 1000, 5000)
TRACKS = (10_000, 100_000)
BATCH = 4096


def run(full: bool) -> None:
    """Print a row for each number of ratings and tracks; there is no more to do with `full`."""
    print(f"# Evaluator: embeddings of {DIMENSION}, segments {SEGMENTS}\n")
    print("Wall-clock seconds, and in brackets CPU seconds of all cores.\n")
    print("| ratings | tracks | search | fit | learn a rating | predict all | peak memory |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for ratings in RATINGS:
        for tracks in TRACKS:
            # A process of its own: peak memory never comes down again.
            script = f"from bench.evaluator import cost; cost({ratings}, {tracks})"
            subprocess.run([sys.executable, "-c", script], check=True)


def cost(ratings: int, tracks: int) -> None:
    """Print what searching, fitting and scoring take for that many ratings and tracks."""
    limit_threads(1)
    rng = np.random.default_rng(0)
    library = synthetic_library(max(ratings, BATCH), DIMENSION, rng)
    library = replace(library, segments=SEGMENTS)
    given = LISTENERS["sound and artists"].rate(library, rng)
    training = training_set(library, np.arange(ratings), given)
    examples = worker_tasks.examples(training)
    process = model_selection.DEFAULT
    moments = [_now()]
    settings = process.search(examples, rng)
    moments.append(_now())
    fitted = process.fit(settings, examples)
    moments.append(_now())
    model = worker_tasks.refit(
        worker_tasks.dump(process.kind, settings, fitted, training), training
    )
    moments.append(_now())
    batch = library.tracks.take(range(BATCH))
    for done in range(0, tracks, BATCH):
        worker_tasks.predict(model, batch.take(range(min(BATCH, tracks - done))))
    moments.append(_now())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = np.diff(np.array(moments), axis=0)
    cells = " | ".join(f"{wall:.2f} s ({processor:.2f})" for wall, processor in took)
    print(f"| {ratings} | {tracks} | {cells} | {peak:.0f} MB |", flush=True)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
