"""Address of MPD: as configured, else the defaults of `mpc`.

The client and the daemon share this parser, so that both find the same MPD.

| text | password | host |
|---|---|---|
| `music`, `music:6601`, `[::1]:6601`, `/run/mpd/socket`, `@mpd` | none | all of it |
| `secret@music`, `secret@/run/mpd/socket` | before the `@` | after it |
| `secret@@mpd` | before the first `@` | `@mpd`, an abstract socket |
| `p@ss@music` | `p@ss`: host names have no `@` | after the last `@` |
"""

import os.path
from collections.abc import Mapping
from typing import NamedTuple

DEFAULT_PORT = 6600
MAX_PORT = 65_535


class Address(NamedTuple):
    """A socket (`/path`, `@abstract`) or a host with a port, and its password if any."""

    host: str
    port: int = DEFAULT_PORT
    password: str | None = None

    @property
    def is_socket(self) -> bool:
        """Whether this is a Unix socket, not a host."""
        return self.host.startswith(("/", "@"))

    @property
    def is_here(self) -> bool:
        """Whether the address refers to the local machine."""
        return self.is_socket or self.host in {"localhost", "::1"} or self.host.startswith("127.")

    def __str__(self) -> str:
        """Return the address without the password."""
        if self.is_socket:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __repr__(self) -> str:
        """Return the address without the password, which must not appear in a log."""
        return f"Address({str(self)!r})"


def parse(text: str, port: int = DEFAULT_PORT) -> Address:
    """Read `[password@]host[:port]`, `[password@]/socket/path` or `[password@]@abstract`."""
    password, rest = _password(text)
    host, port = _host_and_port(rest, port)
    return Address(host, port, password or None)


def candidates(configured: str | None, environment: Mapping[str, str]) -> list[Address]:
    """Return the addresses to try, in order.

    These are only `configured`, else only `MPD_HOST` and `MPD_PORT`, else the default sockets and
    localhost.
    """
    port = _port(environment.get("MPD_PORT", ""), DEFAULT_PORT)
    named = configured or environment.get("MPD_HOST")
    if named:
        return [parse(named, port)]
    if environment.get("MPD_PORT"):
        return [Address("localhost", port)]
    runtime = environment.get("XDG_RUNTIME_DIR")
    sockets = [f"{runtime}/mpd/socket"] if runtime else []
    return [*map(Address, sockets), Address("/run/mpd/socket"), Address("localhost")]


def _password(text: str) -> tuple[str, str]:
    if text.startswith(("/", "~", "@")):
        return "", text
    # Like mpc: a path or an abstract name starts after the first `@/`, `@~` or `@@`.
    starts = [index for mark in ("@/", "@~", "@@") if (index := text.find(mark)) > 0]
    index = min(starts) if starts else text.rfind("@")
    return (text[:index], text[index + 1 :]) if index > 0 else ("", text)


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    if text.startswith("~"):
        # Of the functions that take this text, only `expanduser` raises for a NUL.
        return text if "\0" in text else os.path.expanduser(text), port
    if text.startswith(("/", "@")):
        return text, port
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host or "localhost", _port(rest.removeprefix(":"), port)
    if text.count(":") == 1:
        host, _, rest = text.partition(":")
        return host or "localhost", _port(rest, port)
    return text or "localhost", port


def _port(text: str, default: int) -> int:
    """Return the port in `text`, or the default if it is not a valid port."""
    digits = text if text.isascii() and text.isdigit() and len(text) <= 5 else "0"
    return int(digits) if 0 < int(digits) <= MAX_PORT else default
