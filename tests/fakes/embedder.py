"""An embedder that makes small vectors of names, and fails where it is told to."""

import asyncio
from pathlib import Path

import numpy as np

from anagnorisisd.domain.embedding import LOCAL_EXECUTOR, EmbedderStamp
from anagnorisisd.domain.evaluator import Vectors


class FakeEmbedder:
    """Embeds a file by its name; `failures` holds what is raised for a name, try by try."""

    def __init__(self, name: str = "fake", concurrency: int = 2) -> None:
        self.stamp = EmbedderStamp(name, "1", 2)
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

    async def embed(self, path: str) -> Vectors:
        """Return the length of the name, and 1."""
        name = Path(path).name
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
        return np.array([len(name), 1], np.float32)

    async def close(self) -> None:
        """Nothing is kept."""


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
