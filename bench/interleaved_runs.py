"""Interleaved measurements of several implementations, each in its own process.

Other load then affects all of them alike, and peak memory is measured for each.
"""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anagnorisisd.workers.worker_main import limit_threads

Work = Callable[[Path], Any]
Make = Callable[[], Work]
"""Called once in the process: loads everything, and returns the function to time."""


@dataclass(slots=True)
class Measured:
    """Times and results of one implementation for each file."""

    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    peak_megabytes: float = 0.0
    crashed: bool = False

    @property
    def seconds(self) -> float:
        """Median wall seconds per file."""
        return statistics.median(self.walls)

    @property
    def processor_seconds(self) -> float:
        """Median CPU seconds per file."""
        return statistics.median(self.processors)


def run_interleaved(ways: Mapping[str, Make], files: list[Path]) -> dict[str, Measured]:
    """Measure all implementations; the first file is processed once before, to warm up."""
    measured = {name: Measured() for name in ways}
    with ExitStack() as stack:
        pools = {name: stack.enter_context(processes(1)) for name in ways}
        for name, make in ways.items():
            pools[name].submit(_prepare, make).result()
        for path in [files[0], *files]:
            for name, pool in pools.items():
                _run_once(measured[name], pool, path)
        for name, pool in pools.items():
            if not measured[name].crashed:
                measured[name].peak_megabytes = pool.submit(peak_megabytes).result()
    for one in measured.values():
        del one.walls[:1], one.processors[:1], one.made[:1]
    return measured


def processes(count: int) -> ProcessPoolExecutor:
    """Return new processes with one thread each, as the daemon's workers; engines set their own."""
    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=limit_threads,
        initargs=(1,),
    )


def peak_megabytes() -> float:
    """Return the peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_prepared: list[Work] = []


def _prepare(make: Make) -> None:
    _prepared.append(make())


def _run_once(measured: Measured, pool: ProcessPoolExecutor, path: Path) -> None:
    try:
        wall, processor, made = pool.submit(_once, path).result()
    except BrokenProcessPool:
        measured.crashed = True
        return
    measured.walls.append(wall)
    measured.processors.append(processor)
    measured.made.append(made)


def _once(path: Path) -> tuple[float, float, Any]:
    (work,) = _prepared
    wall, processor = time.perf_counter(), time.process_time()
    made = work(path)
    return time.perf_counter() - wall, time.process_time() - processor, made
