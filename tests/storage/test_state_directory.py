"""The marker of a state directory, where the folder above may not be written too."""

from pathlib import Path

import pytest

from anagnorisisd.errors import StoreLost
from anagnorisisd.storage.state_directory import StateMarker
from anagnorisisd.storage.stores import FILE_NAME


def test_a_first_start_is_none_that_lost_anything(tmp_path: Path) -> None:
    marker = StateMarker(tmp_path / "state", tmp_path / "cache")

    marker.check(tmp_path / "state" / FILE_NAME)

    assert marker.found() is None


def test_marker_is_in_the_cache_if_the_parent_is_not_writable(tmp_path: Path) -> None:
    state = Path("/proc/anagnorisis/state")  # nobody can make a folder there
    marker = StateMarker(state, tmp_path / "cache")
    marker.write()
    marker.write()

    (found,) = (tmp_path / "cache").iterdir()
    assert marker.found() == found
    with pytest.raises(StoreLost, match=f"is missing, .* remove {found} to start anew"):
        marker.check(state / FILE_NAME)


def test_each_state_directory_has_its_own_in_the_cache(tmp_path: Path) -> None:
    StateMarker(Path("/proc/anagnorisis/one"), tmp_path).write()

    assert StateMarker(Path("/proc/anagnorisis/two"), tmp_path).found() is None


def test_unwritable_marker_does_not_stop_the_start() -> None:
    marker = StateMarker(Path("/proc/anagnorisis/state"), Path("/proc/anagnorisis/cache"))

    marker.write()

    assert marker.found() is None
