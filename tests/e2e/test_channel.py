"""Commands on the channel of a real MPD: none is lost, none is stuck, none is done twice."""

import asyncio
import dataclasses
import os
import signal
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from anagnorisis.v1 import library_pb2, track_pb2
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import StoreError
from anagnorisisd.listening import player_monitor
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

SONGS = [f"{letter}.wav" for letter in "abcdef"]
QUIET = schema.Picks(enabled=False)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what failed be tried again sooner."""
    monkeypatch.setattr(player_monitor, "RETRY_SECONDS", 0.2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path / "mpd", SONGS, seconds=60) as running:
        yield running


async def send(server: mpd.Mpd, *messages: str) -> None:
    """Send commands as a listener does."""
    for message in messages:
        await server.ask("sendmessage", "anagnorisis", message)


async def rated(listener: MpdServices, uri: str, value: float | None) -> None:
    """Wait until the track at `uri` has this rating."""

    async def holds() -> bool:
        return await listener.rating(uri) == value

    await until_async(holds)


class Subscriber:
    """Another client of MPD, which listens on the reply channel."""

    def __init__(self, server: mpd.Mpd) -> None:
        self._socket = server.socket

    async def __aenter__(self) -> "Subscriber":
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._socket))
        await self._reader.readline()
        await self._ask("subscribe anagnorisis-reply")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def _ask(self, command: str) -> list[str]:
        self._writer.write(command.encode() + b"\n")
        lines: list[str] = []
        while not (line := (await self._reader.readline()).decode()).startswith("OK"):
            assert line
            assert not line.startswith("ACK"), line
            lines.append(line.rstrip("\n"))
        return lines

    async def heard(self, count: int) -> list[str]:
        """Wait for so many replies and return them."""
        replies: list[str] = []
        async with asyncio.timeout(40):
            while len(replies) < count:
                lines = await self._ask("readmessages")
                said = [line for line in lines if line.startswith("message: ")]
                replies += [line.removeprefix("message: ") for line in said]
                await asyncio.sleep(0.02)
        return replies


class Interrupted(RatingStore):
    """Has something happen when a rating comes in, before it is stored."""

    def __init__(self, stores: Stores, happens: Callable[[], None]) -> None:
        super().__init__(stores.database)
        self._happens = happens
        self.calls = 0

    async def rate(self, track_id: TrackId, value: float | None, **rest: Any) -> RatingChange:
        """Store a rating after the interruption."""
        self.calls += 1
        self._happens()
        return await super().rate(track_id, value, **rest)


async def test_a_link_that_drops_while_an_answer_is_sent_loses_no_command(
    server: mpd.Mpd, stores: Stores
) -> None:
    frozen = False

    def freeze() -> None:
        nonlocal frozen
        if not frozen:
            frozen = True
            os.kill(server.pid, signal.SIGSTOP)

    stores = dataclasses.replace(stores, ratings=Interrupted(stores, freeze))
    quick = schema.Mpd(address=str(server.socket), timeout_seconds=1)
    async with (
        mpd_services(server, stores, picks=QUIET, mpd=quick) as listener,
        Subscriber(server) as who,
    ):
        # Both wait in MPD by the time the daemon reads them, as its reading is held up.
        server.mpc("update", "--wait")
        await send_at_once(server, "rate 8 a.wav", "rate +1 a.wav", "rate 3 b.wav")
        await until(lambda: frozen and not listener.player.link().connected)
        os.kill(server.pid, signal.SIGCONT)

        await rated(listener, "a.wav", 9.0)
        await rated(listener, "b.wav", 3.0)
        replies = await who.heard(3)

    assert replies == ["rated 8, was unrated", "rated 9, was 8", "rated 3, was unrated"]
    assert await listener.sources() == ["channel"] * 3, "none was done twice"


async def send_at_once(server: mpd.Mpd, *messages: str) -> None:
    """Send several commands so that MPD has all of them before anybody is told of one."""
    reader, writer = await asyncio.open_unix_connection(str(server.socket))
    await reader.readline()
    commands = "".join(f'sendmessage anagnorisis "{message}"\n' for message in messages)
    writer.write(f"command_list_begin\n{commands}command_list_end\n".encode())
    assert (await reader.readline()).startswith(b"OK")
    writer.close()
    await writer.wait_closed()


async def test_a_command_means_the_song_that_played_when_it_came(
    server: mpd.Mpd, stores: Stores
) -> None:
    faults = 1

    def fail() -> None:
        nonlocal faults
        if faults:
            faults -= 1
            server.mpc("next")
            raise StoreError("the disk is full")

    ratings = Interrupted(stores, fail)
    stores = dataclasses.replace(stores, ratings=ratings)
    async with mpd_services(server, stores, picks=QUIET) as listener, Subscriber(server) as who:
        server.mpc("add", "a.wav")
        server.mpc("add", "b.wav")
        server.mpc("play")
        await send(server, "rate 8")

        assert await who.heard(1) == ["rated 8, was unrated"]
        assert await listener.rating("a.wav") == 8.0
        assert await listener.rating("b.wav") is None
        assert server.mpc("current", "-f", "%file%") == "b.wav"


class NoRoom(PlayStore):
    """Refuses every play while the disk is full."""

    full = True
    refused = 0

    async def append(self, play: Play) -> None:
        """Refuse it, or store it."""
        if self.full:
            self.refused += 1
            raise StoreError("the disk is full")
        await super().append(play)


async def test_plays_that_cannot_be_stored_hold_up_neither_commands_nor_picks(
    server: mpd.Mpd, stores: Stores
) -> None:
    plays, picks = NoRoom(stores.database), schema.Picks(ahead=2)
    stores = dataclasses.replace(stores, plays=plays)
    async with mpd_services(server, stores, picks=picks, listening=at_once()) as listener:
        for song in "abc":
            server.mpc("add", f"{song}.wav")
        server.mpc("play")
        await listener.looked()
        server.mpc("stop")  # ends a play, which is to be stored at once
        await until(lambda: plays.refused > 0)
        server.mpc("clear")
        server.mpc("add", "d.wav")
        server.mpc("play")

        await send(server, "rate 8 a.wav")
        await rated(listener, "a.wav", 8.0)
        assert (await listener.queue_of(3))[0] == "d.wav"
        assert not await played(listener)

        plays.full = False
        await until_async(lambda: played(listener))


def at_once() -> schema.Listening:
    """Plays are judged without waiting for what follows."""
    return schema.Listening(browsing_seconds=0)


class Stuck(LibraryStore):
    """Never comes back with candidates."""

    async def candidates(
        self, excluded_folders: Sequence[str] = (), excluded_genres: Sequence[str] = ()
    ) -> Candidates:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError

    async def refreshed(self, known: Candidates, track_ids: Collection[TrackId]) -> Candidates:
        """Wait for ever."""
        return await self.candidates()


async def test_a_refill_that_hangs_holds_up_neither_commands_nor_plays(
    server: mpd.Mpd, stores: Stores
) -> None:
    stores = dataclasses.replace(stores, library=Stuck(stores.database))
    async with mpd_services(server, stores, listening=at_once()) as listener:
        server.mpc("add", "a.wav")
        server.mpc("play")

        await send(server, "rate 8")
        await rated(listener, "a.wav", 8.0)
        server.mpc("stop")
        await until_async(lambda: played(listener))


async def played(listener: MpdServices) -> bool:
    """Tell whether a play was stored."""
    return bool(await listener.plays())


def rating(daemon: RunningDaemon, uri: str) -> float:
    request = library_pb2.GetTrackRequest(target=track_pb2.Target(uri=uri))
    return daemon.library.GetTrack(request, timeout=60).track.rating


def test_a_command_that_met_a_locked_database_is_done_when_the_lock_is_gone(
    server: mpd.Mpd, tmp_path: Path
) -> None:
    with running_daemon(
        tmp_path / "home",
        server.music,
        server.socket,
        program=("tests.support.fast_daemon", "1"),
    ) as daemon:
        daemon.until(lambda: daemon.status().library.tracks == len(SONGS))
        daemon.until(lambda: daemon.status().mpd.connected)
        with closing(sqlite3.connect(daemon.home / "state" / "anagnorisis.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            server.mpc("sendmessage", "anagnorisis", "rate 8 a.wav")
            server.mpc("sendmessage", "anagnorisis", "rate +1 a.wav")
            daemon.until(lambda: "Handling messages failed" in daemon.log.read_text())

        daemon.until(lambda: rating(daemon, "a.wav") == 9)
        assert daemon.stop() == 0
