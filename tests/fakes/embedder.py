"""An embedder that makes small vectors of names, and fails where it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from anagnorisisd.domain.embedding import LOCAL_EXECUTOR, EmbedderStamp, FilePart, path_of
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.service import EmbeddingService
from tests.fakes.clock import FakeClock
from tests.support.until import until


class FakeEmbedder:
    """Embeds a file by its name; `failures` holds what is raised for a name, try by try."""

    def __init__(
        self, name: str = "fake", concurrency: int = 2, *, stamp: EmbedderStamp | None = None
    ) -> None:
        self.stamp = stamp or EmbedderStamp(name, "1", 2)
        self.concurrency = concurrency
        self.executor = LOCAL_EXECUTOR
        self.failures: dict[str, list[Exception]] = {}
        self.order: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        """Let every file wait from now on."""
        self._gate.clear()

    def go_on(self) -> None:
        """Let the waiting files be embedded."""
        self._gate.set()

    async def embed(self, file: str | FilePart) -> Vectors:
        """Return the length of the name, followed by ones."""
        name = Path(path_of(file)).name
        self.order.append(name)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0)
            await self._gate.wait()
        finally:
            self._at_once -= 1
        if self.failures.get(name):
            raise self.failures[name].pop(0)
        return np.array([len(name), *[1] * (self.stamp.dimension - 1)], np.float32)

    async def close(self) -> None:
        """Nothing is kept."""


class SlowEmbedder(FakeEmbedder):
    """Embeds two tracks in `seconds` of `clock` each, and never ends the third."""

    def __init__(self, stamp: EmbedderStamp, clock: FakeClock, seconds: float) -> None:
        super().__init__(concurrency=1, stamp=stamp)
        self._clock = clock
        self._seconds = seconds

    async def embed(self, file: str | FilePart) -> Vectors:
        """Return the vector of `FakeEmbedder`."""
        if len(self.order) == 2:
            self.hold()
        vector = await super().embed(file)
        self._clock.jump(self._seconds)
        return vector

    @asynccontextmanager
    async def third_track_begun(self, service: EmbeddingService) -> AsyncIterator[None]:
        """Run the service, whose speed is known in the block."""
        running = asyncio.create_task(service.run())
        try:
            await until(lambda: len(self.order) == 3)
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class FakePreference:
    """Wants what it is told to."""

    def __init__(self, stamp: EmbedderStamp) -> None:
        self.stamp = stamp
        self.refused: list[EmbedderStamp] = []

    def wanted(self) -> EmbedderStamp:
        """Return the wanted stamp."""
        return self.stamp

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Remember what is refused."""
        self.refused.append(stamp)
