"""The wheels, built from the tree as it is, and environments that hold them."""

import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OWN = {"anagnorisis", "anagnorisisd"}
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


def base_environment(folder: Path, wheels: list[Path]) -> Path:
    """Make an environment with the wheels and what their base requires, and no extra.

    The dependencies are hard links to those of the tests, so that nothing is downloaded. Workers
    may read the environment only, so symbolic links would lead out of what they can reach.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    _pip("--python", folder / "bin" / "python", "install", "--no-index", *wheels)
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for file in (file for found in _required(site_packages) for file in found.files or ()):
        if file.parts[0] != ".." and (here / file).exists():
            (site_packages / file).parent.mkdir(parents=True, exist_ok=True)
            _link(here / file, site_packages / file)
    return folder


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _required(own: Path) -> list[metadata.Distribution]:
    """Return the distributions that ours, installed in the folder `own`, require without extras."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [("anagnorisisd", frozenset[str]())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        ours = metadata.distributions(name=name, path=[str(own)]) if name in OWN else ()
        found[name] = next(iter(ours), None) or metadata.distribution(name)
        for requirement in map(Requirement, found[name].requires or ()):
            environments = [{"extra": extra} for extra in extras or {""}]
            if requirement.marker and not any(map(requirement.marker.evaluate, environments)):
                continue
            wanted = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if wanted not in seen:
                seen.add(wanted)
                waiting.append(wanted)
    return [distribution for name, distribution in found.items() if name not in OWN]


def installed(folder: Path, python: str, wheels: list[Path], *, locked: bool) -> tuple[int, int]:
    """Install the wheels from the package index into a new environment, as a listener does.

    Returns:
        The bytes downloaded, and those that the environment takes on the disk.
    """
    downloaded = folder / "downloaded"
    constraint = ["--constraint", str(ROOT / "requirements.lock")] if locked else []
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "--quiet"]
    names = [str(wheel) for wheel in wheels]
    # What is not a wheel would need a compiler.
    get = ["download", "--only-binary", ":all:", *constraint, "--dest", str(downloaded), *names]
    subprocess.run([*pip, *get], check=True)
    install = ["install", "--no-index", "--find-links", str(downloaded), *names]
    subprocess.run([*pip, *install], check=True)
    return bytes_below(downloaded), bytes_below(folder / "venv")


def bytes_below(folder: Path) -> int:
    """Return how much disk space the files below a folder take."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def _pip(*arguments: str | Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    words = [*pip, *map(str, arguments), "--no-deps"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
