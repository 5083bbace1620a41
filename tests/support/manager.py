"""Stands in for systemd: hears what a daemon tells its service manager."""

import socket
import threading
from contextlib import closing
from pathlib import Path


class Manager:
    """Listens at `path`, which is what `NOTIFY_SOCKET` has to name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[dict[str, str]] = []
        """The variables of each message, in order."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> "Manager":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as last:
            last.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    @property
    def fed(self) -> int:
        """How often the watchdog was fed."""
        return sum("WATCHDOG" in message for message in self.heard)

    def _read(self) -> None:
        while message := self._socket.recv(10_000):
            lines = message.decode().splitlines()
            self.heard.append(dict(line.split("=", 1) for line in lines))
