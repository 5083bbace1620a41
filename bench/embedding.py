"""How fast and how exactly tracks become vectors, beside how others do it.

Weights are random, of the real size: speed does not depend on them. Every row runs in a process
of its own, so that its peak of memory is its own; medians over the songs are shown. Set
`ANAGNORISIS_BENCH_MUSIC` to use songs of your own.
"""

import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from anagnorisisd.adapters.workers import limit_threads
from anagnorisisd.ml import features
from anagnorisisd.ml.arrays import Samples, Vector
from anagnorisisd.ml.mert import engines, recipe, stages
from anagnorisisd.ml.mert.engine import Engine, Plan
from bench import peers
from bench.songs import songs

LAYERS = 12
GIGAFLOP_A_WINDOW = 109.0
PROCESSES = 2

Row = tuple[str, float, float, Sequence[Vector]]
"""Name, median seconds per track, peak of memory in MB, and the vectors if there are any."""


def run(full: bool) -> None:
    """Print the tables; `full` takes more songs."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = songs(folder, 24 if full else 8)
        print(f"# Embedding\n\n{len(found)} songs, {_processor()}\n")
        _readers(found)
        _features(found * (4 if full else 2))
        _models(folder, found if full else found[:4])


def _readers(found: list[Path]) -> None:
    print("## Reading five windows of five seconds, at 24 kHz, mono\n")
    print("| reader | ms per track | times ours |\n|---|---|---|")
    readers = {"PyAV, seeking (ours)": _read, "soundfile, seeking": peers.soundfile_seek,
               "librosa.load with offset": peers.librosa_offset}  # fmt: skip
    if find_spec("pydub"):
        readers["pydub, whole file (the original's way)"] = peers.pydub_whole
    rows = [(name, _alone(_time_each, reader, found)[0]) for name, reader in readers.items()]
    ours = rows[0][1]
    for name, seconds in rows:
        print(f"| {name} | {1000 * seconds:.0f} | {seconds / ours:.1f} |")
    print()


def _read(path: Path) -> Samples:
    return stages.read(str(path))


def _features(found: list[Path]) -> None:
    print(f"## Features, reading included, {PROCESSES} processes\n")
    print("| embedder | s per track | tracks per minute | processor s per track | peak MB |")
    print("|---|---|---|---|---|")
    workers: dict[str, Callable[[Path], object]] = {"features (ours)": _features_of}
    if find_spec("bliss_audio"):
        workers["bliss-audio"] = peers.bliss
    for name, work in workers.items():
        try:
            seconds, busy, megabytes = _together(work, found)
        except BrokenProcessPool:
            print(f"| {name} | crashes on this processor |  |  |  |")
        else:
            print(f"| {name} | {seconds:.3f} | {60 / seconds:.0f} | {busy:.3f} | {megabytes:.0f} |")
    print()


def _features_of(path: Path) -> None:
    features.embed(str(path))


def _models(folder: Path, found: list[Path]) -> None:
    from tests.support import mert  # imports torch, which the rows above are measured without

    made = mert.make_folder(folder / "mert", mert.REAL)
    threads = len(os.sched_getaffinity(0))
    bfloat16 = recipe._has_bfloat16()
    reference = Plan(str(made), "bench" * 13, LAYERS, Engine.TORCH, False, threads, str(folder))
    plans = {"torch fp32 (reference)": reference}
    if find_spec("openvino"):
        plans["OpenVINO fp32"] = replace(reference, engine=Engine.OPENVINO)
        if bfloat16:
            plans["OpenVINO bf16"] = replace(reference, engine=Engine.OPENVINO, bfloat16=True)
    if bfloat16:
        plans["torch bf16"] = replace(reference, bfloat16=True)
    original: Row = ("the original's way", *_alone(_original, reference, found))
    rows = [original, *((name, *_alone(_embed, plan, found)) for name, plan in plans.items())]
    peak = _alone(_peak_gigaflops, threads)[0]
    print(f"## MERT, reading included, {threads} threads; peak of matmul {peak:.0f} GFLOP/s\n")
    print("| way | s per track | tracks per minute | times the original | share of peak "
          "| peak MB | worst cosine |\n|---|---|---|---|---|---|---|")  # fmt: skip
    wanted = np.stack(rows[1][3])
    for name, seconds, megabytes, vectors in rows:
        reached = stages.WINDOWS * GIGAFLOP_A_WINDOW / seconds / peak
        cosine = _worst_cosine(np.stack(vectors), wanted)
        print(f"| {name} | {seconds:.2f} | {60 / seconds:.1f} | {original[1] / seconds:.1f} "
              f"| {reached:.0%} | {megabytes:.0f} | {cosine:.4f} |")  # fmt: skip
    print()


def _original(plan: Plan, found: list[Path]) -> tuple[float, list[Vector]]:
    run = peers.OriginalMert(Path(plan.folder), LAYERS)
    read = peers.pydub_whole if find_spec("pydub") else peers.librosa_offset
    return _timed(lambda path: run(stages.normalised(read(path))).mean(axis=0), found)


def _embed(plan: Plan, found: list[Path]) -> tuple[float, list[Vector]]:
    engine = engines.start(plan, stages.WINDOW_SAMPLES)
    return _timed(
        lambda path: engine(stages.normalised(stages.read(str(path)))).mean(axis=0), found
    )


def _peak_gigaflops(threads: int) -> tuple[float, list[Vector]]:
    import torch

    torch.set_num_threads(threads)
    one, other = torch.randn(2048, 2048), torch.randn(2048, 2048)
    seconds, _ = _timed(lambda _: (one @ other).numpy(), [Path()] * 9)
    return 2 * 2048**3 / seconds / 1e9, []


def _worst_cosine(vectors: Samples, wanted: Samples) -> float:
    """Return the smallest cosine to the reference, both centred over the songs."""
    one, other = vectors - wanted.mean(axis=0), wanted - wanted.mean(axis=0)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / lengths).min())


def _time_each(read: Callable[[Path], object], found: list[Path]) -> tuple[float, list[Vector]]:
    seconds, _ = _timed(read, found)
    return seconds, []


def _timed(work: Callable[[Path], Any], found: list[Path]) -> tuple[float, list[Vector]]:
    """Return the median seconds of `work`, warmed up, and what it made."""
    work(found[0])
    seconds, made = [], []
    for path in found:
        began = time.perf_counter()
        made.append(work(path))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), made


def _alone(work: Callable[..., tuple[float, list[Vector]]], *args: Any) -> tuple[Any, float, Any]:
    """Return what `work` measures in a fresh process: seconds, peak in MB, vectors."""
    with _processes(1) as pool:
        seconds, vectors = pool.submit(work, *args).result()
        return seconds, pool.submit(_peak_megabytes).result(), vectors


def _together(work: Callable[[Path], object], found: list[Path]) -> tuple[float, float, float]:
    """Return wall and processor seconds per track with several processes, and a peak in MB."""
    with _processes(PROCESSES) as pool:
        list(pool.map(work, found[: 2 * PROCESSES]))
        began = time.perf_counter()
        spent = list(pool.map(_processor_seconds, [work] * len(found), found))
        seconds = (time.perf_counter() - began) / len(found)
        return seconds, statistics.mean(spent), pool.submit(_peak_megabytes).result()


def _processor_seconds(work: Callable[[Path], object], path: Path) -> float:
    began = time.process_time()
    work(path)
    return time.process_time() - began


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=limit_threads,
        initargs=(1,),  # as the daemon's workers; an engine sets its own
    )


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return f"{len(os.sched_getaffinity(0))} cores of {name or platform.machine()}"
