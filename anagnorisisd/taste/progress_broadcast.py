"""One piece of work under way, followed by any number of callers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from anagnorisisd.errors import PreconditionFailed

T = TypeVar("T")


class ProgressBroadcast(Generic[T]):
    """What the work has said so far; who comes late hears all of it."""

    def __init__(self) -> None:
        self._said: list[T] = []
        self._error: BaseException | None = None
        self._over = False
        self._news = asyncio.Event()

    def say(self, word: T) -> None:
        """Tell all followers."""
        self._said.append(word)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Let the followers go; each of them raises `error`."""
        self._error = error
        self._over = True
        self._wake()

    async def follow(self) -> AsyncIterator[T]:
        """Yield everything that is said, until the end.

        Raises:
            PreconditionFailed: the work was stopped before it was done.
            Exception: what the work raised.
        """
        heard = 0
        while True:
            news = self._news
            while heard < len(self._said):
                yield self._said[heard]
                heard += 1
            if self._over:
                break
            await news.wait()
        if isinstance(self._error, asyncio.CancelledError):
            raise PreconditionFailed("the daemon is stopping")
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
