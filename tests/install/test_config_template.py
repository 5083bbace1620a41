"""The initial configuration file has every key, commented out."""

import re
from pathlib import Path

import pytest

from anagnorisisd.config import load
from anagnorisisd.config.schema import Config
from anagnorisisd.install.packaged_files import config_template

SHIPPED = (Path(__file__).parents[2] / "config.yaml").read_text()


@pytest.fixture(autouse=True)
def no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SYSTEM_FILE", tmp_path / "absent")


def loaded(text: str, folder: Path) -> Config:
    (folder / "config.yaml").write_text(text)
    return load.load({}, {}, folder / "config.yaml")


def test_template_sets_no_key(tmp_path: Path) -> None:
    config = loaded(config_template(SHIPPED), tmp_path)

    sections = [getattr(config, name) for name in type(config).model_fields]
    assert config == Config()
    assert all(section.model_fields_set <= {"tcp"} for section in sections)


def test_every_key_can_be_uncommented(tmp_path: Path) -> None:
    text = re.sub(r"^( +)#(?=\w+:)", r"\1", config_template(SHIPPED), flags=re.MULTILINE)

    _, shipped = SHIPPED.split("\n\n", 1)
    assert text.endswith(shipped)
    assert loaded(text, tmp_path) == Config()


def test_a_single_uncommented_key(tmp_path: Path) -> None:
    text = config_template(SHIPPED).replace("  #ahead: 3", "  ahead: 7")

    assert loaded(text, tmp_path).picks.ahead == 7
