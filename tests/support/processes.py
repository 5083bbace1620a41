"""The worker processes of a daemon or of the test itself, as psutil sees them from outside."""

from contextlib import suppress

import psutil


def worker_processes(parent: int | None = None) -> list[psutil.Process]:
    """Return the workers that run now below process `parent` (default: this process)."""
    return [child for child in psutil.Process(parent).children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    """Tell whether a process runs and is a worker. Processes may end while they are looked at."""
    with suppress(psutil.Error):
        return "worker_main" in " ".join(process.cmdline())
    return False
