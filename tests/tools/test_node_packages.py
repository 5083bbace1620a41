"""What `make test` does about the packages of the client in JavaScript."""

import json
import os
from pathlib import Path

import pytest

from tools import node_packages

pytestmark = pytest.mark.slow

LOCKED = {
    "": {"name": "example"},
    "node_modules/one": {"version": "1.2.0"},
    "node_modules/for-another-system": {"version": "3.0.0", "optional": True},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock file, and an npm that installs what is locked or fails when told to."""
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": LOCKED}))
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        "#!/bin/sh\necho run >> runs\n[ -e offline ] && exit 1\n"
        "mkdir -p node_modules && cp package-lock.json node_modules/.package-lock.json\n"
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    return tmp_path


def runs(folder: Path) -> int:
    log = folder / "runs"
    return len(log.read_text().splitlines()) if log.exists() else 0


def installed(folder: Path, **versions: str) -> None:
    """Say that packages are installed."""
    packages = {f"node_modules/{name}": {"version": each} for name, each in versions.items()}
    (folder / "node_modules").mkdir()
    (folder / node_packages.INSTALLED).write_text(json.dumps({"packages": packages}))


def test_the_first_time_they_are_installed_and_then_left_alone(folder: Path) -> None:
    node_packages.ensure(folder)
    node_packages.ensure(folder)

    assert node_packages.is_complete(folder)
    assert runs(folder) == 1


def test_present_node_packages_need_no_npm(folder: Path) -> None:
    installed(folder, one="1.2.0")

    node_packages.ensure(folder)

    assert runs(folder) == 0


@pytest.mark.parametrize("versions", [{"one": "1.1.0"}, {}])
def test_outdated_node_packages_are_installed_again(folder: Path, versions: dict[str, str]) -> None:
    installed(folder, **versions)

    node_packages.ensure(folder)

    assert runs(folder) == 1
    assert node_packages.is_complete(folder)


def test_missing_network_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "offline").touch()

    node_packages.ensure(folder)

    assert "npm could not install them: the tests that need" in capsys.readouterr().out


def test_missing_npm_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(folder / "nothing here"))

    node_packages.ensure(folder)

    assert capsys.readouterr().out.startswith("There is no npm: the tests that need")


def test_the_lock_names_no_registry() -> None:
    packages = json.loads((node_packages.FOLDER / node_packages.LOCK).read_text())["packages"]

    assert all("resolved" not in package for package in packages.values())
