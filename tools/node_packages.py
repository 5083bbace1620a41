"""Installs what the client in JavaScript and the check of the contract need, where there is npm.

python -m tools.node_packages

Nothing is done, and no network needed, while what lies there is what is locked. Without npm or
without network the tests that need these packages skip, and say so; that is no reason to give up.
"""

import json
import shutil
import subprocess
from pathlib import Path

from tools.console import guarded, say

FOLDER = Path(__file__).resolve().parents[1] / "clients" / "node"
LOCK = "package-lock.json"
INSTALLED = Path("node_modules") / ".package-lock.json"
SKIPPED = "the tests that need the packages of clients/node are skipped"


def ensure(folder: Path = FOLDER) -> None:
    """Install the locked packages below `folder`, unless they are there."""
    if is_complete(folder):
        return
    if not shutil.which("npm"):
        say(f"There is no npm: {SKIPPED}")
        return
    say("Installing the packages of clients/node ...")
    done = subprocess.run(
        ["npm", "ci", "--silent"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        say(f"npm could not install them: {SKIPPED}; `npm ci` in {folder} says why")


def is_complete(folder: Path) -> bool:
    """Return whether all that is locked is installed, packages for other systems aside."""
    if not (folder / INSTALLED).exists():
        return False
    wanted = _packages(folder / LOCK)
    present = {name: package["version"] for name, package in _packages(folder / INSTALLED).items()}
    return all(
        present.get(name) == package["version"]
        for name, package in wanted.items()
        if name in present or not package.get("optional")
    )


def _packages(lock: Path) -> dict[str, dict[str, str]]:
    """Return the packages of a lock file by path; the one without a path is the project."""
    packages: dict[str, dict[str, str]] = json.loads(lock.read_text())["packages"]
    return {path: package for path, package in packages.items() if path}


if __name__ == "__main__":
    guarded(ensure)
