"""The link to MPD: whatever happens to it, the daemon stays up, says so and recovers."""

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.player import PlaybackState, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.mpd import connection, stickers
from anagnorisisd.mpd.patched_client import PatchedClient
from anagnorisisd.mpd.player import MpdPlayer
from tests.support import mpd
from tests.support.hostile import Talk, serving, wired
from tests.support.until import until

pytestmark = pytest.mark.slow

SONGS = ["one.wav", "rock/two.wav"]


@dataclass
class Watched:
    """A player whose changes are being read."""

    player: MpdPlayer
    told: list[frozenset[str]] = field(default_factory=list)

    async def connected(self) -> None:
        """Wait until the link is up."""
        await until(lambda: self.player.link().connected)

    async def lost(self) -> None:
        """Wait until the link is down."""
        await until(lambda: frozenset({"lost"}) in self.told)


@asynccontextmanager
async def watching(config: schema.Mpd, library: Path) -> AsyncIterator[Watched]:
    watched = Watched(MpdPlayer(config, library, "anagnorisis", SystemClock()))

    async def watch() -> None:
        async for changed in watched.player.changes():
            watched.told.append(changed)

    task = asyncio.create_task(watch())
    try:
        yield watched
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("link"), SONGS) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    shared.mpc("clear")
    return shared


def at(address: Path | str, **more: object) -> schema.Mpd:
    return schema.Mpd.model_validate({"address": str(address), "timeout_seconds": 1.0, **more})


async def test_an_mpd_that_starts_later_is_found(tmp_path: Path) -> None:
    async with watching(at(tmp_path / "mpd" / "socket"), tmp_path / "music") as watched:
        await watched.lost()
        assert "socket" in (watched.player.link().reason or "")

        with mpd.running(tmp_path):
            await watched.connected()

            assert (await watched.player.state()).playback_state is PlaybackState.STOP


async def test_a_frozen_mpd_is_given_up_and_found_again(server: mpd.Mpd) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(PlayerUnavailable, match="no answer in time"):
                await watched.player.state()
            await watched.lost()
        finally:
            os.kill(server.pid, signal.SIGCONT)

        await watched.connected()

        assert (await watched.player.state()).playback_state is PlaybackState.STOP


async def test_an_answer_that_came_while_the_event_loop_was_held_up_is_taken(
    server: mpd.Mpd,
) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()
        asking = asyncio.create_task(watched.player.state())
        await asyncio.sleep(0)  # now the question is sent
        time.sleep(1.5)  # noqa: ASYNC251 - holds up the loop for longer than the deadline

        assert (await asking).playback_state is PlaybackState.STOP
        assert watched.told == [frozenset({"connected"})]


async def test_a_half_open_link_is_noticed_without_a_word(
    server: mpd.Mpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LOCAL_KEEPALIVE_SECONDS", 0.2)
    async with (
        wired(tmp_path / "socket", server.socket) as wire,
        watching(at(tmp_path / "socket"), server.music) as watched,
    ):
        await watched.connected()
        wire.open.clear()
        await watched.lost()

        wire.open.set()

        await watched.connected()


async def test_a_slow_mpd_is_waited_for(server: mpd.Mpd, tmp_path: Path) -> None:
    async with (
        wired(tmp_path / "socket", server.socket) as wire,
        watching(at(tmp_path / "socket"), server.music) as watched,
    ):
        await watched.connected()
        wire.delay_seconds = 0.1

        await watched.player.enqueue(Uri("one.wav"))

        assert len(await watched.player.queue()) == 1
        assert frozenset({"lost"}) not in watched.told


async def test_many_questions_at_once_are_all_answered(server: mpd.Mpd) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()

        ids = await asyncio.gather(*(watched.player.enqueue(Uri("one.wav")) for _ in range(300)))

        assert len(set(ids)) == 300
        assert [entry.song_id for entry in await watched.player.queue()] == ids


async def test_a_caller_who_gives_up_leaves_the_link_in_order(server: mpd.Mpd) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()
        for _ in range(20):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.0002):
                    await watched.player.stickers("rating")

        assert (await watched.player.state()).playback_state is PlaybackState.STOP


async def test_a_long_queue_is_read_in_pages_and_only_when_it_changed(server: mpd.Mpd) -> None:
    async with watching(at(server.socket, timeout_seconds=10), server.music) as watched:
        await watched.connected()
        (server.folder / "long.m3u").write_text("one.wav\n" * 2500)
        await asyncio.to_thread(server.mpc, "load", "long")

        first = await watched.player.queue()
        second = await watched.player.queue()

        assert [entry.position for entry in first] == list(range(2500))
        assert second is first


async def test_many_stickers_do_not_break_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stickers, "MAX_SONGS_AT_ONCE", 10)
    songs = [f"folder {number // 20} {'x' * 150}/{number}.wav" for number in range(200)]
    with mpd.running(
        tmp_path, ["root.wav", *songs], seconds=0.1, extra='max_output_buffer_size "4"'
    ) as server:
        async with watching(at(server.socket, timeout_seconds=10), server.music) as watched:
            await watched.connected()
            for song in (*songs, "root.wav"):
                await watched.player.set_sticker(Uri(song), "rating", "7")

            found = await watched.player.stickers("rating")

            assert found == dict.fromkeys([*songs, "root.wav"], "7")
            assert frozenset({"lost"}) not in watched.told


async def test_an_update_under_way_holds_nobody_up(tmp_path: Path) -> None:
    with mpd.running(tmp_path, ["one.wav"]) as server:
        async with watching(at(server.socket, timeout_seconds=5), server.music) as watched:
            await watched.connected()
            mpd.write_songs(server.music, [f"new/{number}.wav" for number in range(1500)], 0.01)
            await watched.player.update(Uri("new"))
            for _ in range(100):
                await watched.player.remove(await watched.player.enqueue(Uri("one.wav")))

            await until(lambda: any("database" in changed for changed in watched.told))

            assert await watched.player.has(Uri("new/1499.wav"))
            assert frozenset({"lost"}) not in watched.told


GREETING = b"OK MPD 0.23.5\n"


def after_greeting(answer: bytes) -> Talk:
    """Greet as MPD does, and then answer everything with the same bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        while await reader.readline():
            writer.write(answer)
            await writer.drain()

    return talk


def greeting(text: bytes) -> Talk:
    """Greet in another way, and then listen."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        await reader.read()

    return talk


NONSENSE = {
    "no greeting": greeting(b""),
    "another greeting": greeting(b"220 mail.example ESMTP\n"),
    "no text": greeting(bytes(range(128, 256)) * 10 + b"\n"),
    "an endless line": greeting(b"OK MPD " + b"9" * 200_000),
    "no pairs": after_greeting(b"nonsense\nOK\n"),
    "bytes that are no text": after_greeting(b"volume: \xff\xfe\nOK\n"),
    "an odd error": after_greeting(b"ACK [999@0] {x} odd\n"),
    "an error without shape": after_greeting(b"ACK no\n"),
    "half an answer": after_greeting(b"command: sta"),
    "an endless answer": after_greeting(b"command: x" * 30_000),
    "numbers that are none": after_greeting(b"songid: many\nplaylist: \nOK\n"),
}


@pytest.mark.parametrize("talk", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_is_survived_and_named(talk: Talk, server: mpd.Mpd, tmp_path: Path) -> None:
    address = tmp_path / "socket"
    async with watching(at(address, timeout_seconds=0.3), server.music) as watched:
        async with serving(address, talk):
            await until(
                lambda: (
                    str(address) in (watched.player.link().reason or "")
                    or "MPD" in (watched.player.link().reason or "")
                )
            )
            with pytest.raises((PlayerUnavailable, PlayerRefused)):
                await watched.player.state()
        async with wired(address, server.socket):
            await watched.connected()

            assert (await watched.player.state()).playback_state is PlaybackState.STOP


async def test_nonsense_in_the_middle_of_a_conversation_ends_it(tmp_path: Path) -> None:
    """A server that logs us in and then answers `status` with what makes no sense."""
    replies = {
        b"commands": b"command: status\nOK\n",
        b"notcommands": b"OK\n",
        b"status": b"state: dancing\nOK\n",
    }

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        while line := await reader.readline():
            if not line.startswith(b"idle"):
                writer.write(replies.get(line.strip(), b"OK\n"))
                await writer.drain()

    async with (
        serving(tmp_path / "socket", talk),
        watching(at(tmp_path / "socket"), tmp_path) as watched,
    ):
        await watched.connected()

        with pytest.raises(PlayerUnavailable, match="'state' is 'dancing'"):
            await watched.player.state()


async def test_a_link_closed_while_a_command_is_given_ends_quietly(server: mpd.Mpd) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(str(context))
    )
    client = PatchedClient()
    await client.connect(str(server.socket))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it waits for a command now

    client.ping()
    client.disconnect()
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()

    assert complaints == []


ENDLESS = {
    "playlistinfo": b"file: a\nPos: 0\nId: 1\n",
    "status": b"state: play\n",
    "commands": b"command: status\n",
    "sticker": b"file: one.wav\nsticker: rating=7\n",
    "readmessages": b"channel: anagnorisis\nmessage: rate 8\n",
    "idle": b"changed: player\n",
    "playlistid": b"file: a\nPos: 0\nId: 1\n",
    "find": b"file: a\n",
}


@pytest.mark.parametrize("command", ENDLESS)
async def test_an_endless_answer_is_given_up_soon(
    command: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The link goes, and is named; in the meantime others have their turns."""
    replies = {
        b"commands": b"command: status\ncommand: subscribe\nOK\n",
        b"status": b"state: stop\nplaylist: 2\nplaylistlength: 5\nOK\n",
        b"stats": b"songs: 5\nOK\n",
    }
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(GREETING)
        while words := (await reader.readline()).split():
            if words[0] == command.encode():
                while True:
                    writer.write(ENDLESS[command] * 1000)
                    sent += 1000 * len(ENDLESS[command])
                    await writer.drain()
            if words[0] != b"idle":
                writer.write(replies.get(words[0], b"OK\n"))

    config = at(tmp_path / "socket", timeout_seconds=60)
    async with serving(tmp_path / "socket", talk), watching(config, tmp_path) as watched:
        if command not in {"commands", "idle"}:
            await watched.connected()
            player = watched.player
            asks: dict[str, Callable[[], Awaitable[object]]] = {
                "playlistinfo": player.queue,
                "status": player.state,
                "sticker": partial(player.stickers, "rating"),
                "readmessages": player.messages,
                "playlistid": partial(player.uri_of, SongId(1)),
                "find": partial(player.has, Uri("a")),
            }
            with pytest.raises(PlayerUnavailable, match="in response to"):
                await asks[command]()
        await watched.lost()

    assert sent < 20 << 20
    assert command != "commands" or "in response to 'commands'" in caplog.text


async def test_a_queue_without_end_is_not_read(tmp_path: Path) -> None:
    replies = {b"status": b"state: stop\nplaylist: 2\nplaylistlength: 4000000000\nOK\n"}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        while words := (await reader.readline()).split():
            if words[0] == b"playlistinfo":
                writer.write(b"file: a\nPos: 0\nId: 1\n" * 1000)
            if words[0] != b"idle":
                writer.write(replies.get(words[0], b"OK\n"))

    async with (
        serving(tmp_path / "socket", talk),
        watching(at(tmp_path / "socket"), tmp_path) as watched,
    ):
        await watched.connected()
        with pytest.raises(PlayerUnavailable, match="4000000000 entries"):
            await watched.player.queue()


@contextmanager
def strict(folder: Path, permissions: str) -> Iterator[mpd.Mpd]:
    """Start an MPD that does not let everybody do everything."""
    server = mpd.Mpd(folder / "mpd", folder / "music", extra=permissions)
    server.music.mkdir()
    server.start()
    try:
        yield server
    finally:
        server.stop()


class TestPermissions:
    """What MPD does not let us do is said once, with the remedy."""

    async def test_a_password_opens_the_door(self, tmp_path: Path) -> None:
        extra = 'password "secret@read,add,control,admin"\ndefault_permissions ""'
        password = tmp_path / "password"
        password.write_text("secret\n")
        config = at(tmp_path / "mpd" / "socket", password_file=password)
        with strict(tmp_path, extra) as server:
            password.chmod(0o644)
            async with watching(config, server.music) as watched:
                await until(lambda: "chmod 600" in (watched.player.link().reason or ""))
                password.write_text("wrong")
                password.chmod(0o600)
                await until(
                    lambda: (
                        "password" in (watched.player.link().reason or "")
                        and "chmod" not in (watched.player.link().reason or "")
                    )
                )

                password.write_text("secret\n")

                await watched.connected()
                assert watched.player.link().missing_features == ()

    async def test_what_is_not_allowed_is_named_with_its_remedy(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with strict(tmp_path, 'default_permissions "read"') as server:
            async with watching(at(server.socket), server.music) as watched:
                await watched.connected()

                lacking = " ".join(watched.player.link().missing_features)

                assert "permission 'control'" in lacking
                assert "stickers" in lacking
                assert caplog.text.count("adding picks") == 1
                with pytest.raises(PlayerRefused, match="permission"):
                    await watched.player.enqueue(Uri("one.wav"))
                with pytest.raises(PlayerRefused):
                    await watched.player.stickers("rating")


class TestPartitions:
    """One of several players inside one MPD."""

    async def test_only_the_configured_partition_is_touched(self, server: mpd.Mpd) -> None:
        _say(server, "newpartition kitchen")
        async with watching(at(server.socket, partition="kitchen"), server.music) as watched:
            await watched.connected()

            await watched.player.enqueue(Uri("one.wav"))

            assert len(await watched.player.queue()) == 1
            assert server.mpc("playlist") == ""

    async def test_a_partition_that_does_not_exist_is_named(self, server: mpd.Mpd) -> None:
        async with watching(at(server.socket, partition="cellar"), server.music) as watched:
            await until(lambda: "no partition 'cellar'" in (watched.player.link().reason or ""))


def _say(server: mpd.Mpd, command: str) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(server.socket))
        link.recv(100)
        link.sendall(f"{command}\n".encode())
        link.recv(100)


class TestFolders:
    """MPD's music directory and ours may differ."""

    async def test_a_library_inside_mpds_tree(self, server: mpd.Mpd) -> None:
        async with watching(at(server.socket), server.music / "rock") as watched:
            await watched.connected()

            song_id = await watched.player.enqueue(Uri("two.wav"))
            await watched.player.set_sticker(Uri("two.wav"), "like", "2")

            assert server.mpc("playlist", "-f", "%file%") == "rock/two.wav"
            assert await watched.player.uri_of(song_id) == "two.wav"
            assert await watched.player.stickers("like") == {"two.wav": "2"}
            assert await watched.player.has(Uri("two.wav"))

    async def test_mpds_tree_inside_the_library(self, server: mpd.Mpd) -> None:
        async with watching(at(server.socket), server.music.parent) as watched:
            await watched.connected()

            await watched.player.enqueue(Uri("music/one.wav"))

            assert server.mpc("playlist", "-f", "%file%") == "one.wav"
            with pytest.raises(PlayerRefused, match="outside"):
                await watched.player.enqueue(Uri("elsewhere/one.wav"))

    async def test_folders_that_have_nothing_to_do_with_each_other(
        self, server: mpd.Mpd, tmp_path: Path
    ) -> None:
        async with watching(at(server.socket), tmp_path / "other") as watched:
            await watched.connected()

            assert "mpd.music_directory" in watched.player.link().missing_features[0]
            with pytest.raises(PlayerRefused):
                await watched.player.enqueue(Uri("one.wav"))

    async def test_the_same_folder_mounted_under_another_path(
        self, server: mpd.Mpd, tmp_path: Path
    ) -> None:
        config = at(server.socket, music_directory=server.music)
        async with watching(config, tmp_path / "mounted") as watched:
            await watched.connected()

            await watched.player.enqueue(Uri("rock/two.wav"))

            assert server.mpc("playlist", "-f", "%file%") == "rock/two.wav"

    async def test_a_remote_mpd_that_does_not_tell_its_folder(self, tmp_path: Path) -> None:
        port = _free_port()
        extra = f'bind_to_address "127.0.0.1"\nport "{port}"'
        with mpd.running(tmp_path, SONGS, extra=extra):
            config = at(f"127.0.0.1:{port}", music_directory="/srv/music")
            async with watching(config, tmp_path / "mounted") as watched:
                await watched.connected()

                await watched.player.enqueue(Uri("rock/two.wav"))

                assert watched.player.link().music_directory is None
                assert [entry.uri for entry in await watched.player.queue()] == ["rock/two.wav"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
