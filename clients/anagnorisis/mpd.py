"""The few words of MPD's protocol that a key press needs, spoken at once and without a library."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

PATIENCE_SECONDS = 1.0
LONGEST_ANSWER_BYTES = 1 << 20


class Song(NamedTuple):
    """The current song: MPD's id of its queue entry, and MPD's name of its file."""

    song_id: int
    uri: str


class Mpd:
    """One connection to MPD. Everything raises `OSError` when MPD is away or says no."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = connection.makefile("rb")

    def current(self) -> Song | None:
        """Return the current song, `None` when there is none."""
        answer = self.ask("currentsong")
        if "Id" not in answer:
            return None
        return Song(int(answer["Id"]), answer["file"])

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

    def greet(self, password: str) -> None:
        """Hear that it is an MPD, and say the password if there is one."""
        if not self._line().startswith(b"OK MPD"):
            raise ConnectionError("what answers there is no MPD")
        if password:
            self.ask("password", password)

    def _line(self) -> bytes:
        return self._lines.readline(LONGEST_ANSWER_BYTES)


@contextmanager
def opened() -> Iterator[Mpd]:
    """Connect to the listener's MPD, found as `mpc` finds it."""
    host, port = os.environ.get("MPD_HOST", ""), os.environ.get("MPD_PORT", "6600")
    password, _, named = host.rpartition("@") if "@" in host[1:] else ("", "", host)
    with _connected([_at(named, port)] if named else _usual_places(port)) as connection:
        mpd = Mpd(connection)
        mpd.greet(password)
        yield mpd


def _usual_places(port: str) -> list[str]:
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return [f"{runtime}/mpd/socket", "/run/mpd/socket", f"localhost:{port}"]


def _at(host: str, port: str) -> str:
    return host if host[0] in "/@~" else f"{host}:{port}"


def _connected(places: Sequence[str]) -> socket.socket:
    """Return a connection to the first place where somebody listens."""
    *others, last = places
    for place in others:
        try:
            return _connected_to(place)
        except OSError:
            continue
    return _connected_to(last)


def _connected_to(place: str) -> socket.socket:
    if place[0] not in "/@~":
        host, _, port = place.rpartition(":")
        return socket.create_connection((host, int(port)), PATIENCE_SECONDS)
    path = "\0" + place[1:] if place[0] == "@" else os.path.expanduser(place)
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
