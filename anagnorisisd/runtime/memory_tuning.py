"""Settings that keep the memory of the daemon's process small.

By default, glibc's allocator uses one heap per thread, and after the first large array it keeps
larger and larger freed blocks for later allocations: a daemon that has read many vectors once would
hold twice the memory that it needs. Other C libraries have none of these functions and do not need
them. Workers are not affected.
"""

import ctypes
import gc
from collections.abc import Callable
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""

TRIM_THRESHOLD_BYTES = 128 << 10
"""How much free memory may remain at the top of the heap."""

MMAP_THRESHOLD_BYTES = 64 << 10
"""Larger blocks are mapped on their own and returned to the kernel when they are freed."""


def configure_malloc() -> None:
    """Limit the memory that malloc retains. Must be called before threads are started."""
    mallopt = _libc_function("mallopt")
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)


def freeze_objects() -> None:
    """Exclude all present objects from garbage collection, after collecting the garbage among them.

    Most objects are modules and services, which are never freed. Traversing them took up to 43 ms,
    during which requests had to wait.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def release_free_memory() -> None:
    """Return free memory of the heap to the kernel; takes some milliseconds."""
    gc.collect()
    _libc_function("malloc_trim")(0)


def _libc_function(name: str) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return _do_nothing
    return found


def _do_nothing(*_: int) -> None:
    """Replace a function that this C library does not have."""
