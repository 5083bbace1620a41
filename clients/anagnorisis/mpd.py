"""Minimal blocking MPD client: the current song and `next`.

It has no dependencies, so that `anagnorisis-rate` starts fast.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from anagnorisis.mpd_address import Address, candidates

TIMEOUT_SECONDS = 1.0
MAX_LINE_BYTES = 1 << 16
MAX_LINES = 1000
"""Of a response; a song has some dozens of tags."""


class Song(NamedTuple):
    """The current song: MPD's song id and URI, and the address of MPD."""

    song_id: int
    uri: str
    mpd: Address


class Mpd:
    """A connection to MPD; all methods raise `OSError` if it fails or MPD returns an error."""

    def __init__(self, connection: socket.socket, address: Address) -> None:
        self._address = address
        self._socket = connection
        self._lines = connection.makefile("rb")

    def current(self) -> Song | None:
        """Return the current song, `None` when there is none."""
        fields = self.ask("currentsong")
        if "Id" not in fields:
            return None
        return Song(int(fields["Id"]), fields["file"], self._address)

    def skip(self) -> None:
        """Play the next song."""
        self.ask("next")

    def ask(self, *words: str) -> dict[str, str]:
        """Send a command and return the fields of the response."""
        quoted = " ".join([words[0], *(f'"{word}"' for word in map(_escaped, words[1:]))])
        self._socket.sendall(quoted.encode() + b"\n")
        fields: dict[str, str] = {}
        for _ in range(MAX_LINES):
            line = self._line()
            if line.startswith(b"OK"):
                return fields
            if line.startswith(b"ACK") or not line:
                raise ConnectionError(
                    line.decode(errors="replace").strip() or "MPD closed the connection"
                )
            key, _, value = line.decode(errors="replace").rstrip("\n").partition(": ")
            fields[key] = value
        raise ConnectionError(f"more than {MAX_LINES} lines in response to {words[0]}")

    def greet(self, password: str | None) -> None:
        """Check MPD's greeting, and send the password if there is one."""
        if not self._line().startswith(b"OK MPD"):
            raise ConnectionError("not an MPD server")
        if password:
            self.ask("password", password)

    def _line(self) -> bytes:
        return self._lines.readline(MAX_LINE_BYTES)


@contextmanager
def open_connection() -> Iterator[Mpd]:
    """Connect to MPD at the same address as the daemon and `mpc`; see `mpd_address`."""
    addresses = candidates(None, os.environ)
    address, connection = _connect_first(addresses)
    with connection:
        mpd = Mpd(connection, address)
        mpd.greet(address.password)
        yield mpd


def _connect_first(addresses: Sequence[Address]) -> tuple[Address, socket.socket]:
    """Connect to the first address that accepts a connection."""
    *others, last = addresses
    for candidate in others:
        try:
            return candidate, _connect(candidate)
        except OSError:
            continue
    return last, _connect(last)


def _connect(candidate: Address) -> socket.socket:
    if not candidate.is_socket:
        return socket.create_connection((candidate.host, candidate.port), TIMEOUT_SECONDS)
    path = "\0" + candidate.host[1:] if candidate.host[0] == "@" else candidate.host
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')
