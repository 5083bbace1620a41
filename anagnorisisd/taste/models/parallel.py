"""Work on many rows, shared by all cores of the processor.

Threads are enough: numpy lets go of the interpreter while it computes. Each then works on rows
that fit its core's cache, where a numerical library's own threads would share single products
and leave everything else to one core.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def each(job: Callable[[slice], T], count: int, size: int) -> list[T]:
    """Return what `job` makes of `count` rows, `size` rows at a time; of none if there are none."""
    slices = [slice(start, min(start + size, count)) for start in range(0, max(1, count), size)]
    threads = min(len(slices), len(os.sched_getaffinity(0)))
    if threads == 1:
        return [job(rows) for rows in slices]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(job, slices))
