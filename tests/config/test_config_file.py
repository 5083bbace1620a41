"""`config.yaml` at the root documents every key with its default."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from anagnorisisd.config import load
from anagnorisisd.config.schema import Config
from anagnorisisd.config.settings import Key, dotted, fields

FILE = Path(__file__).parents[2] / "config.yaml"
KEYS = [key for key, _ in fields()]


@pytest.mark.parametrize("key", KEYS, ids=dotted)
def test_every_key_of_the_schema_is_in_the_file(key: Key) -> None:
    branch = YAML(typ="safe").load(FILE.read_text())
    for name in key:
        assert name in branch
        branch = branch[name]


def test_the_file_has_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SYSTEM_FILE", tmp_path / "absent")

    assert load.load({}, {}, FILE) == Config()


def test_every_key_has_a_comment_above_it_or_above_its_neighbour() -> None:
    lines = FILE.read_text().splitlines()
    for index, line in enumerate(lines):
        if line.startswith("  ") and not line.strip().startswith("#"):
            above = [lines[index - 1], lines[index - 2]]
            assert any(other.strip().startswith("#") for other in above), line
