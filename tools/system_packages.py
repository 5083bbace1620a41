"""Installs Debian packages that Python cannot bring, asking for no more rights than it has.

python -m tools.system_packages mpd mpc     each argument is a program and its package
python -m tools.system_packages systemd-nspawn=systemd-container     or names both
python -m tools.system_packages --if-possible chromium     goes on where it cannot be had
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tools.console import GiveUp, guarded, say


def ensure(programs: Sequence[str]) -> None:
    """Install the packages of the programs that are missing.

    A program is named like its package, or as `program=package`.

    Raises:
        GiveUp: they cannot be installed from here.
    """
    pairs = [(program, package) for program, _, package in (one.partition("=") for one in programs)]
    missing = [package or program for program, package in pairs if not shutil.which(program)]
    if missing:
        install(missing)


def install(packages: Sequence[str]) -> None:
    """Install Debian packages with apt-get.

    Raises:
        GiveUp: there is no apt-get, no right to use it, or it failed.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise GiveUp(f"Missing: {names}. Install it with your package manager, then try again")
    say(f"Installing {names} (Debian packages) ...")
    apt = [*_rights(names), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    wanted = [*apt, "install", "-y", "--no-install-recommends", *packages]
    # The package lists may be absent or old: only then is it worth the time to fetch them.
    if not _succeeds(wanted, quiet=True) and not (
        _succeeds([*apt, "update"]) and _succeeds(wanted)
    ):
        raise GiveUp(
            f"apt-get could not install {names} (its reason is above); install it, then try again"
        )


def _rights(names: str) -> list[str]:
    """Return what to put before a command that needs root."""
    if os.geteuid() == 0:
        return []
    remedy = f"run as root: apt-get install {names}"
    if not shutil.which("sudo"):
        raise GiveUp(f"Missing: {names}, and there is no sudo to install it; {remedy}")
    # Without a terminal nobody could type a password.
    sudo = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    if not _succeeds([*sudo, "true"]):
        raise GiveUp(f"Missing: {names}, and sudo does not let us install it; {remedy}")
    return sudo


def _succeeds(command: Sequence[str], *, quiet: bool = False) -> bool:
    errors = subprocess.DEVNULL if quiet else None
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=errors, check=False)
    return done.returncode == 0


def main(arguments: Sequence[str]) -> None:
    """Install what is named; see the module."""
    if arguments[:1] != ["--if-possible"]:
        ensure(arguments)
        return
    try:
        ensure(arguments[1:])
    except GiveUp as error:
        say(f"{error}. Until then the tests that need it are skipped.")


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
