"""The lock file pins all that the project declares, and nothing that only fits one machine."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OWN = {"anagnorisis", "anagnorisisd"}


def declared() -> list[str]:
    daemon = tomllib.loads((ROOT / "pyproject.toml").read_text())
    client = tomllib.loads((ROOT / "clients" / "pyproject.toml").read_text())
    return [
        *daemon["project"]["dependencies"],
        *(text for extra in daemon["project"]["optional-dependencies"].values() for text in extra),
        *daemon["dependency-groups"]["dev"],
        *daemon["dependency-groups"]["docs"],
        *client["project"]["dependencies"],
        *(text for extra in client["project"]["optional-dependencies"].values() for text in extra),
    ]


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("text", declared())
def test_every_dependency_is_pinned_within_its_bounds(text: str) -> None:
    wanted = Requirement(text)
    name = canonicalize_name(wanted.name)
    if name in OWN:
        return

    assert name in pins(), f"{name} is not locked: make lock"
    assert wanted.specifier.contains(pins()[name])


def test_no_pin_names_a_build_or_a_place() -> None:
    assert not [pin for pin in pins().values() if "+" in pin or "/" in pin or "@" in pin]
    assert "nvidia" not in " ".join(pins())
