"""The capable workers, and how many tracks each of them has. Independent of Dask."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class WorkerEntry:
    """A worker that can make the vectors. `slots` is how many tracks it takes at once.

    `sees_music` is false after it did not see a file; `gone` is set when it was removed.
    """

    address: str
    slots: int
    busy: int = 0
    sees_music: bool = True
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class WorkerRegistry:
    """The workers that can make the vectors, and waiting for one that is free."""

    def __init__(self) -> None:
        self._workers: dict[str, WorkerEntry] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def slots(self) -> int:
        """The number of tracks that all workers take at once."""
        return sum(worker.slots for worker in self._workers.values())

    def add(self, address: str, slots: int) -> None:
        """Add a worker."""
        self._workers[address] = WorkerEntry(address, slots)
        self._changed.set()

    def remove(self, address: str) -> None:
        """Remove a worker; its tracks are given to others."""
        if worker := self._workers.pop(address, None):
            worker.gone.set()
            self._changed.set()

    def keep_only(self, addresses: Collection[str]) -> None:
        """Remove all other workers."""
        for address in self._workers.keys() - set(addresses):
            self.remove(address)

    async def acquire(self, avoided: Collection[str] = ()) -> WorkerEntry:
        """Wait for a free slot, and occupy it.

        Workers in `avoided` are chosen only if there are no others.
        """
        while (worker := self._least_busy(avoided)) is None:
            self._changed.clear()
            await self._changed.wait()
        worker.busy += 1
        return worker

    def release(self, worker: WorkerEntry) -> None:
        """Free a slot that `acquire` occupied."""
        worker.busy -= 1
        self._changed.set()

    def _least_busy(self, avoided: Collection[str]) -> WorkerEntry | None:
        workers = self._workers.values()
        wanted = [one for one in workers if one.address not in avoided] or list(workers)
        free = [one for one in wanted if one.busy < one.slots]
        return min(free, key=lambda one: one.busy / one.slots, default=None)
