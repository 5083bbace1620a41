"""Every test of this directory starts MPD, a daemon or a browser, and so is slow."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this directory; the hook is given those of all directories."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
