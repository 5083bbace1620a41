"""Speed and accuracy of the embedders, compared with other programs.

MERT has random weights of the real size, which does not change its speed. Set
`ANAGNORISIS_BENCH_MUSIC` to use your own songs.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.embedder import Samples, Vector
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.mert import inference, plan
from anagnorisisd.embedding.mert.inference import Engine, EnginePlan
from anagnorisisd.embedding.musicnn import plan as musicnn
from anagnorisisd.embedding.musicnn import weights
from bench import competitors, embedding_precision
from bench.interleaved_runs import Make, Measured, Work, peak_megabytes, processes, run_interleaved
from bench.music_files import songs

LAYERS = 12
GIGAFLOP_A_WINDOW = 109.0
PROCESSES, ROUNDS = 2, 3
MATMUL_SIZE = 2048
ORIGINAL, REFERENCE = "original", "torch fp32 (reference)"
ORIGINALS_MODEL = "original model, our windows"
PEAKS = {"fp32": "float32", "bf16": "bfloat16"}
"""Precisions, and what torch calls them."""


def run(full: bool) -> None:
    """Print the tables; `full` takes more songs."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = songs(folder, 24 if full else 4)
        print(f"# Embedding\n\n{len(found)} songs, {_processor()}\n")
        _readers(found)
        _features(found)
        _models(folder, found)


def _readers(found: list[Path]) -> None:
    ways: dict[str, Make] = {
        "PyAV, seeking (daemon)": partial(partial, _read),
        "soundfile, seeking": partial(partial, competitors.soundfile_seek),
        "librosa.load with offset": partial(partial, competitors.librosa_offset),
    }
    if find_spec("pydub"):
        ways["pydub, whole file (original)"] = partial(partial, competitors.pydub_whole)
    measured = run_interleaved(ways, found)
    ours = next(iter(measured.values()))
    print("## Decoding five windows of five seconds, at 24 kHz, mono\n")
    print("| decoder | ms per track | relative |\n|---|---|---|")
    for name, one in measured.items():
        print(f"| {name} | {1000 * one.seconds:.0f} | {one.seconds / ours.seconds:.1f} |")
    print()


def _read(path: Path) -> Samples:
    return inference.read(str(path))


def _features(found: list[Path]) -> None:
    print(f"## Features and MusiCNN, including decoding, {PROCESSES} processes\n")
    print("| embedder | s per track | relative | CPU s per track | relative | peak MB |")
    print("|---|---|---|---|---|---|")
    ways: dict[str, Work] = {"features (daemon)": _features_of}
    if weights.PACKAGED.exists():
        ways["MusiCNN with features (daemon)"] = _musicnn_of
    if find_spec("bliss_audio"):
        ways["bliss-audio"] = competitors.bliss
    measured = {name: ParallelTiming() for name in ways}
    for _ in range(ROUNDS):  # in turns, so that whatever else the machine does slows both
        for name, work in ways.items():
            with suppress(BrokenProcessPool):
                measured[name].add(work, found)
    ours = next(iter(measured.values()))
    for name, one in measured.items():
        if not one.tracks:
            print(f"| {name} | crashes on this CPU |  |  |  |  |")
            continue
        print(
            f"| {name} | {one.wall:.3f} | {one.wall / ours.wall:.1f} "
            f"| {one.processor:.3f} | {one.processor / ours.processor:.1f} | {one.megabytes:.0f} |"
        )
    print()


def _features_of(path: Path) -> Vector:
    return features.embed(str(path))


def _musicnn_of(path: Path) -> Vector:
    return musicnn.embed(str(path), str(weights.PACKAGED))


@dataclass(slots=True)
class ParallelTiming:
    """What tracks took with several processes at once: seconds, and a peak of memory."""

    tracks: int = 0
    walls: float = 0.0
    processors: float = 0.0
    megabytes: float = 0.0

    def add(self, work: Work, found: list[Path]) -> None:
        """Time one round; the processes are warm before."""
        with processes(PROCESSES) as pool:
            list(pool.map(work, found[: 2 * PROCESSES]))
            began = time.perf_counter()
            spent = list(pool.map(partial(_processor_seconds, work), found))
            self.walls += time.perf_counter() - began
            self.processors += sum(spent)
            self.tracks += len(found)
            self.megabytes = max(self.megabytes, pool.submit(peak_megabytes).result())

    @property
    def wall(self) -> float:
        """Wall seconds per track."""
        return self.walls / self.tracks

    @property
    def processor(self) -> float:
        """Seconds of all cores together per track."""
        return self.processors / self.tracks


def _processor_seconds(work: Work, path: Path) -> float:
    began = time.process_time()
    work(path)
    return time.process_time() - began


def _models(folder: Path, found: list[Path]) -> None:
    from tests.support import mert  # imports torch, which the rows above are measured without

    made = mert.make_folder(folder / "mert", mert.REAL)
    threads = len(os.sched_getaffinity(0))
    reference = EnginePlan(
        str(made), "bench" * 13, LAYERS, Engine.TORCH, False, threads, str(folder)
    )
    ways: dict[str, Make] = {
        ORIGINAL: partial(_original, made, threads, ours=False),
        ORIGINALS_MODEL: partial(_original, made, threads, ours=True),
        REFERENCE: partial(_engine, reference),
    }
    bfloat16 = plan.has_bfloat16()
    if bfloat16:
        ways["torch bf16"] = partial(_engine, replace(reference, bfloat16=True))
    if find_spec("openvino"):
        by_openvino = replace(reference, engine=Engine.OPENVINO)
        ways["OpenVINO fp32"] = partial(_engine, by_openvino)
        if bfloat16:
            ways["OpenVINO bf16"] = partial(_engine, replace(by_openvino, bfloat16=True))
    for kind in PEAKS if bfloat16 else ("fp32",):
        ways[kind] = partial(_matmul, threads, PEAKS[kind])
    measured = run_interleaved(ways, found)
    # What else the machine does can only make it slower: the best time is nearest to the peak.
    peaks = {
        kind: 2 * MATMUL_SIZE**3 / min(measured.pop(kind).walls) / 1e9
        for kind in PEAKS
        if kind in measured
    }
    _print_models(measured, peaks, threads)
    _print_precision(measured)


def _print_models(measured: dict[str, Measured], peaks: dict[str, float], threads: int) -> None:
    original, reference = measured[ORIGINAL], measured[REFERENCE]
    reached = ", ".join(f"{kind} {peak:.0f}" for kind, peak in peaks.items())
    print(f"## MERT, including decoding, {threads} threads; matmul reaches {reached} GFLOP/s\n")
    columns = ("engine", "s per track", "tracks per minute", "speed-up",
               "CPU s per track", "share of matmul", "peak MB", "lowest cosine")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    wanted = _tracks(reference)
    for name, one in measured.items():
        peak = peaks["bf16" if name.endswith("bf16") else "fp32"]
        share = inference.WINDOWS * GIGAFLOP_A_WINDOW / one.seconds / peak
        print(
            f"| {name} | {one.seconds:.2f} | {60 / one.seconds:.1f} "
            f"| {original.seconds / one.seconds:.1f} | {one.processor_seconds:.2f} "
            f"| {share:.0%} | {one.peak_megabytes:.0f} "
            f"| {embedding_precision.cosines(_tracks(one), wanted).min():.4f} |"
        )
    print()


def _tracks(measured: Measured) -> Vectors:
    """Return the vector of each song, `[songs, dimension]`."""
    return np.stack([windows.mean(axis=0) for windows in measured.made])


def _print_precision(measured: dict[str, Measured]) -> None:
    precise = np.concatenate(measured[REFERENCE].made)
    print(f"## Differences between engines, {len(precise)} windows\n")
    print(
        "| engine | lowest cosine, centred | difference of predictions, points "
        "| held-out error, ratio |"
    )
    print("|---|---|---|---|")
    for name, one in measured.items():
        if name not in {ORIGINAL, REFERENCE}:
            found = embedding_precision.compare(np.concatenate(one.made), precise)
            print(
                f"| {name} | {found.worst_cosine:.4f} | {found.points_apart:.3f} "
                f"| {found.error_ratio:.3f} ± {found.ratio_deviation:.3f} |"
            )
    print()


def _original(folder: Path, threads: int, *, ours: bool) -> Work:
    import torch

    torch.set_num_threads(threads)
    run = competitors.OriginalMert(folder, LAYERS)
    read = (
        _read
        if ours
        else competitors.pydub_whole
        if find_spec("pydub")
        else competitors.librosa_offset
    )
    return lambda path: run(inference.normalised(read(path)))


def _engine(plan: EnginePlan) -> Work:
    run = inference.start(plan, inference.WINDOW_SAMPLES)
    return lambda path: run(inference.normalised(_read(path)))


def _matmul(threads: int, kind: str) -> Callable[[Path], None]:
    import torch

    torch.set_num_threads(threads)
    one, other = torch.randn(2, MATMUL_SIZE, MATMUL_SIZE).to(getattr(torch, kind))

    def work(_: Path) -> None:
        torch.mm(one, other)

    return work


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return f"{len(os.sched_getaffinity(0))} cores of {name or platform.machine()}"
