"""Fixtures of the embedders' tests."""

from pathlib import Path

import pytest

from anagnorisisd.embedding.musicnn import weights


@pytest.fixture
def without_musicnn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the weights that `make setup` stored in the package."""
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "absent")
