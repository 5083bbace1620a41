"""Map a function over batches of rows, on all cores.

Threads suffice: numpy releases the GIL while it computes. Each then works on rows
that fit its core's cache, where a numerical library's own threads would share single products
and leave everything else to one core.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def map_batches(function: Callable[[slice], T], count: int, batch_size: int) -> list[T]:
    """Return the results of `function` for batches of `count` rows; one empty batch if 0."""
    slices = [
        slice(start, min(start + batch_size, count))
        for start in range(0, max(1, count), batch_size)
    ]
    threads = min(len(slices), len(os.sched_getaffinity(0)))
    if threads == 1:
        return [function(rows) for rows in slices]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, slices))
