"""MPD 0.24, of Debian 13 (trixie), beside the MPD of this system.

Its packages and the libraries they need are unpacked, not installed, into the cache directory:
once, in about half a minute, without root. Their own dynamic linker starts it.
"""

import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import pytest
from filelock import FileLock

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCE = f"deb [signed-by={KEYRING}] http://deb.debian.org/debian trixie main\n"
UNUSED = ("libllvm", "mesa-", "libz3", "sphinx-", "timgm6mb-", "xkb-data")
"""Packages of graphics, documentation and a synthesizer, which are half of the size."""

SECONDS = 300.0


def command() -> tuple[str, ...]:
    """Return the command that starts it; skip the test where it cannot be had."""
    root = _unpacked()
    libraries = sorted({str(path.parent) for path in root.glob("usr/lib/*/**/*.so*")})
    (linker,) = root.glob("usr/lib/*/ld-linux-*.so.*")
    return (str(linker), "--library-path", ":".join(libraries), str(root / "usr" / "bin" / "mpd"))


def _unpacked() -> Path:
    cache = platformdirs.user_cache_path("anagnorisis-test", ensure_exists=True)
    root = cache / "mpd-trixie"
    with FileLock(cache / "mpd-trixie.lock"):
        if not root.exists():
            missing = [name for name in ("apt-get", "dpkg-deb") if not shutil.which(name)]
            if missing or not KEYRING.exists() or platform.libc_ver()[0] != "glibc":
                pytest.skip("MPD 0.24 is unpacked from Debian packages, which takes a Debian")
            unfinished = root.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _unpack(unfinished)
            unfinished.rename(root)
    return root


def _unpack(root: Path) -> None:
    apt = root / "apt"
    (apt / "lists" / "partial").mkdir(parents=True)
    (apt / "archives" / "partial").mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(SOURCE)
    options = {
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    words = ["apt-get", *(f"--option={name}={value}" for name, value in options.items())]
    _run([*words, "update"])
    _run([*words, "install", "--yes", "--no-install-recommends", "--download-only", "mpd"])
    for package in (apt / "archives").glob("*.deb"):
        if not package.name.startswith(UNUSED):
            _run(["dpkg-deb", "--extract", str(package), str(root)])
    shutil.rmtree(apt)


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        pytest.skip(f"the packages of MPD 0.24 cannot be had here: {' '.join(last)}")
