"""Who of the workers embeds, and how much each of them has to do. Knows nothing of Dask."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class WorkerEntry:
    """A worker that can make the vectors. `places` is how many tracks it takes at once.

    `sees_music` is doubted only once it has not seen a file; `gone` is set when it has left.
    """

    address: str
    places: int
    busy: int = 0
    sees_music: bool = True
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class WorkerRegistry:
    """The workers that can make the vectors; whoever has a track waits here for one of them."""

    def __init__(self) -> None:
        self._workers: dict[str, WorkerEntry] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def places(self) -> int:
        """How many tracks all of them take at once."""
        return sum(worker.places for worker in self._workers.values())

    def admit(self, address: str, places: int) -> None:
        """Let a worker have tracks."""
        self._workers[address] = WorkerEntry(address, places)
        self._changed.set()

    def dismiss(self, address: str) -> None:
        """Let a worker have no more tracks; what it is doing for us is given up."""
        if worker := self._workers.pop(address, None):
            worker.gone.set()
            self._changed.set()

    def keep(self, addresses: Collection[str]) -> None:
        """Dismiss all but these."""
        for address in self._workers.keys() - set(addresses):
            self.dismiss(address)

    async def take(self, rather_not: Collection[str] = ()) -> WorkerEntry:
        """Wait for a free place, and occupy it.

        Those in `rather_not` are only taken if there is nobody else.
        """
        while (worker := self._freest(rather_not)) is None:
            self._changed.clear()
            await self._changed.wait()
        worker.busy += 1
        return worker

    def leave(self, worker: WorkerEntry) -> None:
        """Free a place that `take` gave."""
        worker.busy -= 1
        self._changed.set()

    def _freest(self, rather_not: Collection[str]) -> WorkerEntry | None:
        workers = self._workers.values()
        wanted = [one for one in workers if one.address not in rather_not] or list(workers)
        free = [one for one in wanted if one.busy < one.places]
        return min(free, key=lambda one: one.busy / one.places, default=None)
