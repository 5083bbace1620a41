"""glibc's allocator, told that this process is to stay small.

By itself it gives every thread a heap of its own, and after the first large array it keeps even
larger ones for later instead of returning them: a daemon that has read vectors once would hold
twice the memory that it needs until it ends. Another C library knows none of this, and needs
none of it.
"""

import ctypes
import gc
from collections.abc import Callable
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""

KEPT_BYTES = 128 << 10
"""So much may lie free at the end of the heap."""

LARGE_BYTES = 64 << 10
"""From this size on an array has memory of its own, which goes back to the kernel with it."""


def keep_small() -> None:
    """Set it up; call it before there are threads. Workers are not affected: they compute."""
    set_to = _function("mallopt")
    set_to(M_ARENA_MAX, 1)
    set_to(M_TRIM_THRESHOLD, KEPT_BYTES)
    set_to(M_MMAP_THRESHOLD, LARGE_BYTES)


def set_aside() -> None:
    """Leave what there is now out of every later collection of garbage, which it would outlive.

    Modules and services are most of the objects: looking through them took up to 43 ms, in which
    whoever rates waits. What was set aside before and is garbage by now goes.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Return what lies free in the heap to the kernel; takes some milliseconds."""
    gc.collect()
    _function("malloc_trim")(0)


def _function(name: str) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return _nothing
    return found


def _nothing(*_: int) -> None:
    """Stand for what another C library does not have."""
