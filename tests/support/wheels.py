"""The wheels, built from the tree as it is, and environments that hold them."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What is no source: leftovers of other builds would end in the wheels.
NO_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "node_modules", "*.egg-info")


def build(folder: Path) -> list[Path]:
    """Build the wheels of daemon and client below `folder`."""
    source, wheels = folder / "source", folder / "wheels"
    shutil.copytree(ROOT, source, ignore=_left_out)
    _pip("wheel", "--no-build-isolation", "--wheel-dir", wheels, source / "clients", source)
    return sorted(wheels.glob("*.whl"))


def _left_out(folder: str, names: list[str]) -> set[str]:
    # Downloaded weights, gigabytes of them, lie in the project's own folder `models`.
    weights = {"models"} if Path(folder) == ROOT else set()
    return {*NO_SOURCE(folder, names), *weights}


def environment(folder: Path, wheels: list[Path]) -> Path:
    """Make an environment with the wheels; their dependencies are those of the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    _pip("--python", folder / "bin" / "python", "install", "--no-index", *wheels)
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    # Only the folder itself: the .pth files in it, editable installs among them, are not read.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def _pip(*arguments: str | Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    words = [*pip, *map(str, arguments), "--no-deps"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
