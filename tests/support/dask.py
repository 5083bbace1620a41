"""A real Dask scheduler and real workers, as processes on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 200.0
LONG_LIVED = "--death-timeout", "600"


def free_port() -> int:
    """Return a TCP port of loopback that nobody uses at the moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def scheduler(
    home: Path, address: str, *options: str, **variables: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a scheduler at an address such as `tcp://127.0.0.1:8786`, and wait until it listens."""
    arguments = ("scheduler", "--host", address, "--no-dashboard", *options)
    with _running(home, "scheduler", arguments, variables) as process:
        _wait_for_listener(process, int(address.rpartition(":")[2]), home)
        yield process


@contextlib.contextmanager
def workers(
    home: Path, address: str, count: int = 1, threads: int = 1, *options: str, **variables: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `count` worker processes in one command; they come when they are ready."""
    arguments = (
        "worker", address, "--nworkers", str(count), "--nthreads", str(threads),
        "--no-dashboard", "--local-directory", str(home / "scratch"), *LONG_LIVED, *options,
    )  # fmt: skip
    with _running(home, "worker", arguments, variables) as process:
        yield process


@contextlib.contextmanager
def _running(
    home: Path, name: str, arguments: tuple[str, ...], variables: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    home.mkdir(parents=True, exist_ok=True)
    usual = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache")}
    with (home / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **usual, **variables},
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it with all its children: how they leave by themselves is Dask's business."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
    process.kill()
    process.wait()


def _wait_for_listener(process: "subprocess.Popen[bytes]", port: int, home: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        said = (home / "scheduler.log").read_text()
        assert process.poll() is None, f"the scheduler left:\n{said}"
        assert time.monotonic() < deadline, f"the scheduler did not come in time:\n{said}"
        time.sleep(0.05)
