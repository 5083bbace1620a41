"""A control group whose processes together get so much memory and no swap; takes root."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

CONTROLLERS = Path("/sys/fs/cgroup")
SECONDS_TO_LEAVE = 10.0


@dataclass(frozen=True)
class MemoryGroup:
    """A control group below `folder`, of version 2 of the kernel's interface or of version 1."""

    folder: Path
    unified: bool

    def script(self, path: Path) -> Path:
        """Write an executable that starts the daemon within the group."""
        path.write_text(
            f"#!/bin/sh\necho $$ > {self.folder / 'cgroup.procs'}\n"
            f'exec {sys.executable} -m anagnorisisd "$@"\n'
        )
        path.chmod(0o755)
        return path

    def resident_bytes(self) -> int:
        """Return the memory that the processes hold now; the page cache is left out."""
        return self._statistic("anon" if self.unified else "rss")

    def kills(self) -> int:
        """Return how many processes the kernel killed for want of memory."""
        name = "memory.events" if self.unified else "memory.oom_control"
        return self._values(name)["oom_kill"]

    def _statistic(self, name: str) -> int:
        return self._values("memory.stat")[name]

    def _values(self, file: str) -> dict[str, int]:
        lines = (self.folder / file).read_text().splitlines()
        return {name: int(value) for name, value in map(str.split, lines)}


@contextmanager
def memory_limit(limit_bytes: int) -> Iterator[MemoryGroup]:
    """Make a group with the limit, and remove it; skips the test where none can be made."""
    unified = (CONTROLLERS / "cgroup.controllers").exists()
    parent = CONTROLLERS if unified else CONTROLLERS / "memory"
    folder = parent / f"anagnorisis-test-{os.getpid()}"
    limits = ("memory.max", "memory.swap.max") if unified else ("memory.limit_in_bytes",)
    try:
        folder.mkdir()
        (folder / limits[0]).write_text(str(limit_bytes))
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no memory can be limited here: {error}")
    for name in limits[1:]:
        with suppress(OSError):  # the kernel does not account for swap
            (folder / name).write_text("0")
    try:
        yield MemoryGroup(folder, unified)
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the group once its last process has left."""
    deadline = time.monotonic() + SECONDS_TO_LEAVE
    while (folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    folder.rmdir()
