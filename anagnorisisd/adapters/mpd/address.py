"""Where MPD is: as configured, else where mpc would look for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_PORT = 6600


@dataclass(frozen=True, slots=True)
class Address:
    """A socket path (`/path`, `@abstract`) or a host with a port, and its password if any."""

    host: str
    port: int = DEFAULT_PORT
    password: str | None = field(default=None, repr=False)

    @property
    def is_socket(self) -> bool:
        """Whether this is a socket of this computer rather than a host."""
        return self.host.startswith(("/", "@"))

    def __str__(self) -> str:
        if self.is_socket:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse(text: str, port: int = DEFAULT_PORT) -> Address:
    """Read `[password@]host[:port]`, `[password@]/socket/path` or `@abstract`.

    A leading `@` names an abstract socket, any other one ends a password, as in `MPD_HOST`.
    """
    password, at, rest = text.partition("@")
    if not (at and password):
        password, rest = "", text
    host, port = _host_and_port(rest, port)
    return Address(host, port, password or None)


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    if text.startswith("~"):
        return str(Path(text).expanduser()), port
    if text.startswith(("/", "@")):
        return text, port
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, _port(rest.removeprefix(":"), port)
    if text.count(":") == 1:
        host, _, rest = text.partition(":")
        return host or "localhost", _port(rest, port)
    return text or "localhost", port


def _port(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default


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
