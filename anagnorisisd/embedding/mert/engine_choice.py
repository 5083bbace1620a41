"""Which engine runs MERT faster on this computer: measured once, and kept in the cache directory.

OpenVINO is faster than torch on processors that compute in bfloat16, and can be slower on others.
The worker measures both before its first track. In float32 both give the same vectors, so it goes
on with the faster one. In bfloat16 they differ, so the stamp names the engine: the worker goes on
with the planned one, and the daemon, which looks for a better embedder every half minute, finds the
result and changes to the faster one.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from anagnorisisd.embedding.embedder import Samples
from anagnorisisd.embedding.mert import inference
from anagnorisisd.embedding.mert.inference import Engine, EnginePlan, Run

log = logging.getLogger(__name__)

FILE_NAME = "mert-engines.json"
TIMED_RUNS = 2
MAX_ATTEMPTS = 3
"""A measurement that is interrupted so often, by a crash of an engine for example, is given up."""

MIN_ADVANTAGE = 1.25
"""By this factor torch has to be faster in bfloat16, where a change embeds the library again."""

PACKAGES = ("torch", "transformers", "openvino")


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """Seconds per track of each engine that works here; empty until a measurement has ended."""

    seconds: Mapping[Engine, float]
    attempts: int

    @property
    def is_final(self) -> bool:
        """Whether there is nothing more to measure."""
        return bool(self.seconds) or self.attempts >= MAX_ATTEMPTS


def conditions(weights_sha256: str, layer: int, bfloat16: bool, threads: int) -> str:
    """Return what a measurement depends on: processor, versions, model and threads."""
    packages = [f"{package} {_version(package)}" for package in PACKAGES]
    precision = "bfloat16" if bfloat16 else "float32"
    model = f"{weights_sha256[:12]} layer {layer}"
    return ", ".join([_processor(), f"{threads} threads", precision, model, *packages])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        "unknown processor",
    )


def load(cache_directory: Path, measured_conditions: str) -> EngineTimes:
    """Return the stored measurement; one of other conditions, or damaged, counts as none."""
    try:
        stored = json.loads((cache_directory / FILE_NAME).read_text())
        if stored["conditions"] != measured_conditions:
            return EngineTimes({}, 0)
        seconds = {Engine(name): float(each) for name, each in stored["seconds"].items()}
        return EngineTimes(seconds, int(stored["attempts"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return EngineTimes({}, 0)


def _save(cache_directory: Path, measured_conditions: str, times: EngineTimes) -> None:
    content = {
        "conditions": measured_conditions,
        "seconds": dict(times.seconds),
        "attempts": times.attempts,
    }
    cache_directory.mkdir(parents=True, exist_ok=True)
    partial = cache_directory / f".{FILE_NAME}-{os.getpid()}"
    partial.write_text(json.dumps(content))
    partial.replace(cache_directory / FILE_NAME)


def faster_engine(times: EngineTimes, bfloat16: bool) -> Engine:
    """Return the engine to use; without a measurement the one that is usually faster."""
    seconds = times.seconds
    if not seconds:
        return Engine.OPENVINO if bfloat16 else Engine.TORCH
    if Engine.OPENVINO not in seconds:
        return Engine.TORCH
    advantage = MIN_ADVANTAGE if bfloat16 else 1.0
    torch_is_faster = seconds[Engine.TORCH] * advantage < seconds[Engine.OPENVINO]
    return Engine.TORCH if torch_is_faster else Engine.OPENVINO


def measure(plan: EnginePlan) -> Run:
    """Return the engine to go on with, after measuring both unless that was done; in a worker.

    Raises:
        EmbedderUnusable: the weights cannot be used.
    """
    directory = Path(plan.cache_directory)
    known = load(directory, plan.measure_as)
    if known.is_final:  # measured by a worker that has ended since
        engine = plan.engine if plan.bfloat16 else faster_engine(known, bfloat16=False)
        return inference.start(replace(plan, engine=engine), inference.WINDOW_SAMPLES)
    attempts = known.attempts + 1
    # Before the measurement: it may kill the process.
    _store(directory, plan.measure_as, EngineTimes({}, attempts))
    runs = {Engine.TORCH: inference.on_torch(plan)}
    try:
        runs[Engine.OPENVINO] = inference.on_openvino(plan, inference.WINDOW_SAMPLES)
    except (ImportError, RuntimeError, OSError) as error:
        log.warning("OpenVINO cannot be used, torch is: %s", error)
    times = EngineTimes(_times(runs), attempts)
    _store(directory, plan.measure_as, times)
    log.debug("seconds per track: %s", dict(times.seconds))
    engine = plan.engine if plan.bfloat16 else faster_engine(times, bfloat16=False)
    return runs.get(engine, runs[Engine.TORCH])


def _store(directory: Path, measured_conditions: str, times: EngineTimes) -> None:
    try:
        _save(directory, measured_conditions, times)
    except OSError as error:
        log.warning("the measurement of MERT's engines cannot be stored: %s", error.strerror)


def _times(runs: Mapping[Engine, Run]) -> dict[Engine, float]:
    """Return the least wall time of each, in turn, so that other work disturbs them equally."""
    windows = _noise()
    for run in runs.values():
        run(windows)  # the first run allocates and compiles
    taken: dict[Engine, list[float]] = {engine: [] for engine in runs}
    for _ in range(TIMED_RUNS):
        for engine, run in runs.items():
            began = time.perf_counter()
            run(windows)
            taken[engine].append(time.perf_counter() - began)
    return {engine: min(each) for engine, each in taken.items()}


def _noise() -> Samples:
    shape = (inference.WINDOWS, inference.WINDOW_SAMPLES)
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return inference.normalised(noise)
