"""`make deb`: what is in the package, and what its scripts do; here without the dependencies."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import wheels
from tools import deb

needed = [name for name in ("dpkg", "dpkg-deb", "systemctl") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(needed), reason=f"not installed: {', '.join(needed)}"),
]

EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = wheels.build(tmp_path_factory.mktemp("wheels"))
    target = tmp_path_factory.mktemp("package")
    return deb.build(target, built, EPOCH, options=("--no-index", "--no-deps"))


@pytest.fixture(scope="module")
def root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package unpacked, its control files in `DEBIAN`."""
    folder = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder], check=True)
    return folder


def test_everything_is_where_debian_has_it(root: Path) -> None:
    outside = {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if not path.is_relative_to(root / "opt")
        and not path.is_relative_to(root / "DEBIAN")
        and (path.is_symlink() or not path.is_dir())
        and path.parent.name != "anagnorisis.service.d"
    }

    assert outside == {
        "etc/anagnorisis/config.yaml",
        "usr/bin/anagnorisis",
        "usr/bin/anagnorisis-rate",
        "usr/bin/anagnorisis-web",
        "usr/bin/anagnorisisd",
        "usr/lib/systemd/system/anagnorisis.service",
        "usr/lib/systemd/user/anagnorisis-web.service",
        "usr/share/bash-completion/completions/anagnorisis",
        "usr/share/fish/vendor_completions.d/anagnorisis.fish",
        "usr/share/man/man1/anagnorisis.1",
        "usr/share/man/man1/anagnorisis-web.1",
        "usr/share/zsh/vendor-completions/_anagnorisis",
    }
    assert (root / "DEBIAN/conffiles").read_text() == "/etc/anagnorisis/config.yaml\n"


def test_package_does_not_contain_build_paths(root: Path) -> None:
    for name in deb.PROGRAMS:
        assert (root / "usr/bin" / name).readlink() == Path("/opt/anagnorisis/bin") / name
        first = (root / "opt/anagnorisis/bin" / name).read_text().splitlines()[0]
        assert first.startswith("#!/opt/anagnorisis/bin/python")
    built_at = b"/anagnorisis-deb-"
    naming = [
        path for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and built_at in path.read_bytes()
    ]  # fmt: skip
    assert naming == []


def test_the_unit_starts_the_program_of_the_package(root: Path) -> None:
    unit = (root / "usr/lib/systemd/system/anagnorisis.service").read_text()

    assert "ExecStart=/usr/bin/anagnorisisd run" in unit
    assert "/usr/local" not in unit
    page = (root / "usr/lib/systemd/user/anagnorisis-web.service").read_text()
    assert "\nExecStart=/usr/bin/anagnorisis-web\n" in page


def test_the_configuration_shows_every_key_and_sets_none(root: Path) -> None:
    lines = (root / "etc/anagnorisis/config.yaml").read_text().splitlines()

    assert any(line.strip().startswith("#directory:") for line in lines)
    assert not any(line.strip().startswith("directory:") for line in lines)


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_its_scripts_are_shell_scripts(root: Path, name: str) -> None:
    script = root / "DEBIAN" / name

    assert os.access(script, os.X_OK)
    subprocess.run(["/bin/sh", "-n", script], check=True)
