"""What the collector of garbage looks through, and what it need not."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from anagnorisisd.runtime import malloc_tuning


class Ring:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _nothing_stays_aside() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_set_aside_is_not_looked_through() -> None:
    lasting = [Ring() for _ in range(1000)]
    malloc_tuning.set_aside()

    assert gc.get_freeze_count() > len(lasting)
    assert not any(isinstance(each, Ring) for each in gc.get_objects())


def test_what_became_garbage_meanwhile_goes_the_next_time() -> None:
    ring = Ring()
    seen = weakref.ref(ring)
    malloc_tuning.set_aside()
    del ring
    gc.collect()
    assert seen() is not None

    malloc_tuning.set_aside()

    assert seen() is None
