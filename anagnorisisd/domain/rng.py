"""Chance as an argument: `random.Random` has these methods, and a test brings one with a seed."""

from typing import Protocol


class RandomSource(Protocol):
    """Where random numbers come from."""

    def random(self) -> float:
        """Return the next number, from 0 to below 1, each as likely as any other."""
        ...

    def getrandbits(self, k: int, /) -> int:
        """Return the next `k` bits as a number."""
        ...
