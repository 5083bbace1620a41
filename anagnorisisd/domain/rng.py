"""The interface of a random number generator; `random.Random` implements it."""

from typing import Protocol


class RandomSource(Protocol):
    """A random number generator, passed as an argument so that tests can seed it."""

    def random(self) -> float:
        """Return a uniform random number in [0, 1)."""
        ...

    def getrandbits(self, k: int, /) -> int:
        """Return an integer of `k` random bits."""
        ...
