"""A small Debian with a real systemd, booted in a container: for what only that can show.

Its root tree is made once, which takes about two minutes, and kept in the cache directory. What a
test changes in it is gone with the container.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import platformdirs
import psutil
import pytest
from filelock import FileLock

Value = TypeVar("Value")

PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,procps,python3-venv"
"""Python is there for its libraries, which the one that is bound in needs too, and for packages."""

PYTHON = Path("/opt/python")
DEPENDENCIES = Path("/opt/dependencies")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Those of the host: its mirror or proxy may have one that only this file holds."""

MPD_UNITS = ("mpd.socket", "mpd.service")
SECONDS = 300.0


@dataclass(frozen=True)
class Machine:
    """A booted container; `leader` is its first process, seen from outside."""

    leader: int

    def run(self, *words: str | Path, user: str = "root", code: int | None = 0) -> str:
        """Run a command in it, and return what it prints; `code` is the exit code to expect."""
        home = "/root" if user == "root" else f"/home/{user}"
        variables = {
            "HOME": home,
            "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LC_ALL": "C.UTF-8",
        }
        if user != "root":
            variables["XDG_RUNTIME_DIR"] = f"/run/user/{self._id(user)}"
        done = subprocess.run(
            [*self._inside(), "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
             "env", "-i", *(f"{name}={value}" for name, value in variables.items()),
             *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert code in {None, done.returncode}, f"{words} ended with {done.returncode}: {said}"
        return said

    def write(self, path: str, text: str) -> None:
        """Write a file in it."""
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def file(self, path: str) -> Path:
        """Return where a file of the machine is on the host."""
        # By way of its processes' root, which has all its mounts.
        return Path(f"/proc/{self.leader}/root{path}")

    def until(self, what: Callable[[], Value], seconds: float = SECONDS) -> Value:
        """Return the first true value of `what`; fail with the end of the journal."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > deadline:
                pytest.fail(f"not in time:\n{self.journal()}")
            time.sleep(0.1)
        return found

    def journal(self) -> str:
        """Return the end of the journal."""
        return self.run("journalctl", "--no-pager", "--lines=80")

    def _inside(self) -> list[str]:
        return ["nsenter", "--all", f"--target={self.leader}", "--wd"]

    def _id(self, user: str) -> str:
        done = subprocess.run(
            [*self._inside(), "id", "-u", user], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@contextmanager
def booted(binds: Mapping[Path, str]) -> Iterator[Machine]:
    """Boot a machine that sees each of `binds`, read-only, at the place that is named.

    Python and what it imports are there too, at `PYTHON` and `DEPENDENCIES`. Skips the test where
    no machine can be booted.
    """
    python = {
        Path(sys.base_prefix): str(PYTHON),
        Path(sysconfig.get_path("purelib")): str(DEPENDENCIES),
    }
    # The same release as here: its libraries have to suit the Python that is bound in.
    with booted_release(_release_of_host(), PACKAGES, {**python, **binds}) as machine:
        yield machine


@contextmanager
def booted_release(
    release: str, packages: str, binds: Mapping[Path, str], *, network: bool = False
) -> Iterator[Machine]:
    """Boot a machine of a Debian release that has `packages`, and sees `binds` as in `booted`.

    With `network` it shares the network of the host. MPD's units are then masked: they would
    listen on the host's ports.
    """
    options = [f"--bind-ro={here}:{there}" for here, there in binds.items()]
    kernel = []
    if network:
        options.append(f"--bind-ro={CERTIFICATES}")
        kernel = [f"systemd.mask={unit}" for unit in MPD_UNITS]
    else:
        options.append("--private-network")
    with _tree(release, packages) as root, tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no",
             "--keep-unit", "--console=pipe", "--volatile=overlay", *options, *kernel],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )  # fmt: skip
        try:
            yield _up(process, Path(log.name))
        finally:
            process.terminate()  # which has the machine shut down
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _up(process: "subprocess.Popen[bytes]", log: Path) -> Machine:
    """Wait until the machine is up."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.skip(f"no container can be booted here: {log.read_text().strip()}")
        for child in psutil.Process(process.pid).children():
            machine = Machine(child.pid)
            state = machine.run("systemctl", "is-system-running", code=None).strip()
            if state in {"running", "degraded"}:
                return machine
        time.sleep(0.1)
    pytest.fail(f"the machine did not come up: {log.read_text()}")


def _release_of_host() -> str:
    system = platform.freedesktop_os_release()
    if system["ID"] not in {"debian", "ubuntu"}:
        pytest.skip("the machine is made like this one, which is neither Debian nor Ubuntu")
    return system["VERSION_CODENAME"]


@contextmanager
def _tree(release: str, packages: str) -> Iterator[Path]:
    """Lend a root tree, which one machine at a time may use; skip where none can be had."""
    if os.geteuid() != 0:
        pytest.skip("booting a systemd takes root")
    missing = [name for name in ("systemd-nspawn", "debootstrap") if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    mark = hashlib.sha256(packages.encode()).hexdigest()[:8]
    cache = platformdirs.user_cache_path("anagnorisis-test", ensure_exists=True)
    root = cache / f"{release}-{mark}"
    with FileLock(cache / f"{root.name}.lock"):
        if not root.exists():
            _make(root, release, packages)
        yield root


def _make(root: Path, release: str, packages: str) -> None:
    half = root.with_name(f"{root.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", release, half],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        pytest.skip(f"debootstrap could not make a tree: {' '.join(last)}")
    (half / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    half.rename(root)
