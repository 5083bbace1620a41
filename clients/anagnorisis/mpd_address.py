"""Where MPD is: as configured, else where `mpc` would look for it.

Client and daemon read addresses here, so that both find the same MPD.

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
HIGHEST_PORT = 65_535


class Address(NamedTuple):
    """A socket (`/path`, `@abstract`) or a host with a port, and its password if any."""

    host: str
    port: int = DEFAULT_PORT
    password: str | None = None

    @property
    def is_socket(self) -> bool:
        """Whether this is a socket of this computer rather than a host."""
        return self.host.startswith(("/", "@"))

    @property
    def is_here(self) -> bool:
        """Whether the same text means another MPD on another computer."""
        return self.is_socket or self.host in {"localhost", "::1"} or self.host.startswith("127.")

    def __str__(self) -> str:
        """Return it without the password."""
        if self.is_socket:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __repr__(self) -> str:
        """Return it without the password, too: it would be in a log."""
        return f"Address({str(self)!r})"


def parse(text: str, port: int = DEFAULT_PORT) -> Address:
    """Read `[password@]host[:port]`, `[password@]/socket/path` or `[password@]@abstract`."""
    password, rest = _password(text)
    host, port = _host_and_port(rest, port)
    return Address(host, port, password or None)


def candidates(configured: str | None, environment: Mapping[str, str]) -> list[Address]:
    """Return the places to try, in order.

    These are `configured` alone, else `MPD_HOST` and `MPD_PORT` alone, else the usual sockets
    and localhost.
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
    # A path or an abstract name begins after the first `@` that it may follow, as for mpc.
    begins = [place for mark in ("@/", "@~", "@@") if (place := text.find(mark)) > 0]
    place = min(begins) if begins else text.rfind("@")
    return (text[:place], text[place + 1 :]) if place > 0 else ("", text)


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    if text.startswith("~"):
        # A NUL, which no path has, is refused by `expanduser` alone among all that read it here.
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
    """Return the port in `text`, the default where it is none."""
    digits = text if text.isascii() and text.isdigit() and len(text) <= 5 else "0"
    return int(digits) if 0 < int(digits) <= HIGHEST_PORT else default
