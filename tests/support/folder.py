"""Odd things that lie in music folders, and being somebody who may not see them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Be an ordinary user who may enter `folder`, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    for place in (folder, *folder.parents):
        if place.stat().st_uid == 0 and place.stat().st_mode & 0o005 != 0o005:
            if not place.is_relative_to(_tests_own(folder)):
                pytest.skip(f"nobody may not enter {place}")
            place.chmod(place.stat().st_mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _tests_own(folder: Path) -> Path:
    """Return the uppermost folder that pytest made for its temporary files."""
    return next(place for place in reversed(folder.parents) if place.name.startswith("pytest-of-"))
