"""Trying what a confined process must not be able to do; runs in a worker."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SECONDS = 2.0


def attempt(folder: str, port: int) -> list[str]:
    """Return what succeeded, in words.

    `folder` has a file `secret` and a Unix socket `socket`; on TCP's `port` of 127.0.0.1 somebody
    listens. Neither is any business of a reader of music.
    """
    attempts: dict[str, Callable[[], object]] = {
        "read files elsewhere": lambda: Path(folder, "secret").read_bytes(),
        "write files": lambda: Path(folder, "written").write_bytes(b"?"),
        "delete files": lambda: Path(folder, "victim").unlink(),
        "connect by TCP": lambda: _connect(socket.AF_INET, ("127.0.0.1", port)),
        "send by UDP": lambda: _send(("127.0.0.1", port)),
        "connect to Unix sockets": lambda: _connect(socket.AF_UNIX, str(Path(folder, "socket"))),
        "run programs": _run,
    }
    done = []
    for name, action in attempts.items():
        with suppress(OSError):
            action()
            done.append(name)
    return done


def _connect(family: int, address: str | tuple[str, int]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(SECONDS)
        client.connect(address)


def _send(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"?", address)


def _run() -> None:
    process = os.posix_spawn("/usr/bin/env", ["env", "true"], os.environ)
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise PermissionError
