"""Frozen objects are excluded from garbage collection."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from anagnorisisd.runtime import memory_tuning


class Ring:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _unfreeze() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_frozen_objects_are_not_traversed() -> None:
    lasting = [Ring() for _ in range(1000)]
    memory_tuning.freeze_objects()

    assert gc.get_freeze_count() > len(lasting)
    assert not any(isinstance(each, Ring) for each in gc.get_objects())


def test_garbage_among_frozen_objects_is_freed_by_the_next_freeze() -> None:
    ring = Ring()
    seen = weakref.ref(ring)
    memory_tuning.freeze_objects()
    del ring
    gc.collect()
    assert seen() is not None

    memory_tuning.freeze_objects()

    assert seen() is None
