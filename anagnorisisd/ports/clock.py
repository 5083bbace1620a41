"""Time as an argument."""

from typing import Protocol


class Clock(Protocol):
    """Tells the time and lets it pass; tests bring one that they move by hand."""

    def now(self) -> float:
        """Return unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...

    async def rest(self, at_most: float) -> None:
        """Let up to so many seconds pass, so that those who look now and then wake up together."""
        ...
