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
        self._members: dict[str, WorkerEntry] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._members)

    @property
    def places(self) -> int:
        """How many tracks all of them take at once."""
        return sum(member.places for member in self._members.values())

    def admit(self, address: str, places: int) -> None:
        """Let a worker have tracks."""
        self._members[address] = WorkerEntry(address, places)
        self._changed.set()

    def dismiss(self, address: str) -> None:
        """Let a worker have no more tracks; what it is doing for us is given up."""
        if member := self._members.pop(address, None):
            member.gone.set()
            self._changed.set()

    def keep(self, addresses: Collection[str]) -> None:
        """Dismiss all but these."""
        for address in self._members.keys() - set(addresses):
            self.dismiss(address)

    async def take(self, rather_not: Collection[str] = ()) -> WorkerEntry:
        """Wait for a free place, and occupy it.

        Those in `rather_not` are only taken if there is nobody else.
        """
        while (member := self._freest(rather_not)) is None:
            self._changed.clear()
            await self._changed.wait()
        member.busy += 1
        return member

    def leave(self, member: WorkerEntry) -> None:
        """Free a place that `take` gave."""
        member.busy -= 1
        self._changed.set()

    def _freest(self, rather_not: Collection[str]) -> WorkerEntry | None:
        members = self._members.values()
        wanted = [one for one in members if one.address not in rather_not] or list(members)
        free = [one for one in wanted if one.busy < one.places]
        return min(free, key=lambda one: one.busy / one.places, default=None)
