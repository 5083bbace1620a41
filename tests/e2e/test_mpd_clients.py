"""Listeners with their own clients, mpc and ncmpcpp, beside us on one real MPD."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anagnorisisd.config import schema
from anagnorisisd.playlists import rating_rules
from anagnorisisd.storage.stores import Stores
from tests.support import mpd, protocol
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

SONGS = [f"{letter}.wav" for letter in "abcdef"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("clients"), SONGS, seconds=60) as running:
        yield running


@pytest.fixture
async def listener(server: mpd.Mpd, stores: Stores) -> AsyncIterator[MpdServices]:
    server.mpc("clear")
    async with mpd_services(server, stores, picks=schema.Picks(enabled=False)) as opened:
        yield opened


async def rated(listener: MpdServices, uri: str, value: float | None) -> None:
    """Wait until the track at `uri` has this rating."""

    async def holds() -> bool:
        return await listener.rating(uri) == value

    await until_async(holds)


@asynccontextmanager
async def replies(listener: MpdServices) -> AsyncIterator[list[str]]:
    """Collect what a client sees that listens on the reply channel."""
    client = await asyncio.create_subprocess_exec(
        "stdbuf",  # mpc keeps what it prints to itself until its buffer is full
        "-oL",
        "mpc",
        "--host",
        str(listener.server.socket),
        "subscribe",
        "anagnorisis-reply",
        stdout=asyncio.subprocess.PIPE,
    )
    assert client.stdout is not None
    output, lines = client.stdout, list[str]()

    async def listen() -> None:
        while line := await output.readline():
            lines.append(line.decode().strip())

    task = asyncio.create_task(listen())
    try:
        await until(lambda: "anagnorisis-reply" in listener.server.mpc("channels"))
        yield lines
    finally:
        client.terminate()
        await client.wait()
        await task


def send(listener: MpdServices, message: str) -> None:
    """Send a command as a listener does."""
    listener.server.mpc("sendmessage", "anagnorisis", message)


async def test_message_rates_the_current_song(listener: MpdServices) -> None:
    listener.server.mpc("add", "a.wav")
    listener.server.mpc("play")

    send(listener, "rate 8")
    await rated(listener, "a.wav", 8.0)
    send(listener, "rate +1")
    await rated(listener, "a.wav", 9.0)
    send(listener, "undo")
    await rated(listener, "a.wav", 8.0)
    send(listener, "clear")
    await rated(listener, "a.wav", None)

    assert await listener.sources() == ["channel"] * 4


async def test_any_file_is_rated_by_a_message(listener: MpdServices) -> None:
    send(listener, "rate 3.5 c.wav")

    await rated(listener, "c.wav", 3.5)


async def test_picking_is_switched_by_a_message(listener: MpdServices) -> None:
    listener.server.mpc("add", "a.wav")
    listener.server.mpc("play")

    send(listener, "picking on")

    await listener.queue_of(4)


async def test_replies_to_messages(listener: MpdServices) -> None:
    async with replies(listener) as lines:
        for message in ("rate 11 a.wav", "rate 8 nowhere.wav", "rate", "dance", "rate 8 a.wav"):
            send(listener, message)
        await until(lambda: len(lines) == 5)

    assert [line.startswith("error: ") for line in lines] == [True] * 4 + [False]
    assert "not between 0 and 10" in lines[0]
    assert "nowhere.wav" in lines[1]
    assert "rate 8 URI" in lines[2]
    assert "'dance' is unknown" in lines[3]
    assert lines[4] == "rated 8, was unrated"


async def test_message_while_nothing_plays(listener: MpdServices) -> None:
    async with replies(listener) as lines:
        send(listener, "rate 8")
        await until(lambda: lines != [])

    assert "nothing is playing" in lines[0]
    assert await listener.sources() == []


async def test_burst_of_messages_is_executed_in_order(listener: MpdServices) -> None:
    for value in range(11):
        send(listener, f"rate {value} a.wav")

    await rated(listener, "a.wav", 10.0)

    history = await listener.stores.ratings.history(limit=100)
    assert [entry.value for entry in reversed(history)] == list(range(11))


@pytest.mark.parametrize(
    ("call", "command", "rating"),
    [
        # What each client sends to MPD; for myMPD 25.3 by its JSON-RPC, in src/mympd_api/sticker.c.
        ("myMPD MYMPD_API_RATING 10", ("set", "rating", "10"), 10.0),
        ("myMPD MYMPD_API_RATING 1", ("set", "rating", "1"), 1.0),
        ("myMPD MYMPD_API_RATING 0", ("delete", "rating"), None),
        ("myMPD MYMPD_API_LIKE 2", ("set", "like", "2"), 4.0),
        ("Cantata 2.5, three stars and a half", ("set", "rating", "7"), 7.0),
        ("Cantata 2.5, no stars", ("delete", "rating"), None),
        ("gmpc, no stars", ("set", "rating", "0"), 0.0),
    ],
)
async def test_what_clients_send_is_a_rating(
    listener: MpdServices, call: str, command: Sequence[str], rating: float | None
) -> None:
    action, *words = command
    send(listener, "rate 4 f.wav")
    await until(lambda: listener.sticker("f.wav") == "4")
    await listener.looked()

    listener.server.mpc("sticker", "f.wav", action, *words)
    await listener.looked()

    assert await listener.rating("f.wav") == rating, call


async def test_mympd_adds_songs_to_a_rating_playlist(server: mpd.Mpd, stores: Stores) -> None:
    config = schema.Ratings(playlists=True)
    picks = schema.Picks(enabled=False)
    async with (
        mpd_services(server, stores, picks=picks, ratings_config=config) as listener,
        protocol.connected(server.socket) as client,
    ):
        # Exactly these: for a moment, one may have a longer name.
        names = rating_rules.names(config.playlist_prefix)
        await until(lambda: sorted(server.mpc("lsplaylists").splitlines()) == names)
        # MYMPD_API_PLAYLIST_CONTENT_APPEND_URIS, and the same at a position (MPD 0.23.3 or later).
        await client.ask_all([("playlistadd", "Rate 08", "d.wav")])
        await rated(listener, "d.wav", 8.0)
        await until(lambda: sorted(server.mpc("lsplaylists").splitlines()) == names)
        await client.ask_all([("playlistadd", "Rate 03", "e.wav", "0")])
        await rated(listener, "e.wav", 3.0)

        await until(lambda: listener.sticker("e.wav") == "3")


async def test_ncmpcpp_in_a_terminal_drives_the_same_queue(
    listener: MpdServices, tmp_path: Path
) -> None:
    if shutil.which("ncmpcpp") is None or shutil.which("tmux") is None:
        pytest.skip("ncmpcpp and tmux are not installed")
    for song in SONGS[:3]:
        listener.server.mpc("add", song)
    listener.server.mpc("play")
    config = tmp_path / "config"
    config.write_text(f'ncmpcpp_directory = "{tmp_path}"\nlyrics_directory = "{tmp_path}"\n')
    tmux = Tmux(tmp_path / "tmux")
    tmux.run("new-session", "-d", f"ncmpcpp --host {listener.server.socket} --config {config}")
    try:
        await until(lambda: "b.wav" in tmux.run("capture-pane", "-p"))
        tmux.run("send-keys", ">")
        await until(lambda: listener.server.mpc("current", "-f", "%file%") == "b.wav")
        send(listener, "rate 8")
        await rated(listener, "b.wav", 8.0)
    finally:
        tmux.run("kill-server")


class Tmux:
    """A terminal that nobody looks at."""

    def __init__(self, socket: Path) -> None:
        self._command = ["tmux", "-S", str(socket), "-f", "/dev/null"]

    def run(self, *arguments: str) -> str:
        """Run a command of tmux and return its output."""
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout
