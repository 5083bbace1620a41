"""The few words of MPD's protocol that a key press needs, spoken at once and without a library."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from anagnorisis.mpd_address import Address, candidates

PATIENCE_SECONDS = 1.0
LONGEST_ANSWER_BYTES = 1 << 20


class Song(NamedTuple):
    """The current song: MPD's id of its queue entry, its name of the file, and where MPD is."""

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
        answer = self.ask("currentsong")
        if "Id" not in answer:
            return None
        return Song(int(answer["Id"]), answer["file"], self._address)

    def skip(self) -> None:
        """Go on to the next song."""
        self.ask("next")

    def ask(self, *words: str) -> dict[str, str]:
        """Send a command and return its answer by key."""
        quoted = " ".join([words[0], *(f'"{word}"' for word in map(_escaped, words[1:]))])
        self._socket.sendall(quoted.encode() + b"\n")
        answer: dict[str, str] = {}
        while not (line := self._line()).startswith(b"OK"):
            if line.startswith(b"ACK") or not line:
                raise ConnectionError(line.decode(errors="replace").strip() or "MPD hung up")
            key, _, value = line.decode(errors="replace").rstrip("\n").partition(": ")
            answer[key] = value
        return answer

    def greet(self, password: str | None) -> None:
        """Hear that it is an MPD, and say the password if there is one."""
        if not self._line().startswith(b"OK MPD"):
            raise ConnectionError("what answers there is no MPD")
        if password:
            self.ask("password", password)

    def _line(self) -> bytes:
        return self._lines.readline(LONGEST_ANSWER_BYTES)


@contextmanager
def opened() -> Iterator[Mpd]:
    """Connect to the listener's MPD, found as the daemon finds it, and as `mpc` does."""
    places = candidates(None, os.environ)
    address, connection = _connected(places)
    with connection:
        mpd = Mpd(connection, address)
        mpd.greet(address.password)
        yield mpd


def _connected(places: Sequence[Address]) -> tuple[Address, socket.socket]:
    """Return a connection to the first place where somebody listens."""
    *others, last = places
    for place in others:
        try:
            return place, _connected_to(place)
        except OSError:
            continue
    return last, _connected_to(last)


def _connected_to(place: Address) -> socket.socket:
    if not place.is_socket:
        return socket.create_connection((place.host, place.port), PATIENCE_SECONDS)
    path = "\0" + place.host[1:] if place.host[0] == "@" else place.host
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')
