"""The connection to MPD: whatever happens to it, the player reports it and reconnects."""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from anagnorisisd.domain.player import PlaybackState, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.mpd import connection, song_listing, song_metadata, stickers
from anagnorisisd.mpd.patched_client import PatchedClient
from tests.support import mpd
from tests.support.connected_player import at, watching
from tests.support.hostile import Talk, serving, wired
from tests.support.until import until

pytestmark = pytest.mark.slow

SONGS = ["one.wav", "rock/two.wav"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("link"), SONGS) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    shared.mpc("clear")
    return shared


async def test_mpd_starts_later(tmp_path: Path) -> None:
    async with watching(at(tmp_path / "mpd" / "socket"), tmp_path / "music") as watched:
        await watched.lost()
        assert "socket" in (watched.player.link().reason or "")

        with mpd.running(tmp_path):
            await watched.connected()

            assert (await watched.player.state()).playback_state is PlaybackState.STOP


async def test_mpd_hangs_and_continues(server: mpd.Mpd) -> None:
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


async def test_a_stalled_event_loop_is_no_timeout(
    server: mpd.Mpd,
) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()
        asking = asyncio.create_task(watched.player.state())
        await asyncio.sleep(0)  # now the question is sent
        time.sleep(1.5)  # noqa: ASYNC251 - holds up the loop for longer than the deadline

        assert (await asking).playback_state is PlaybackState.STOP
        assert watched.told == [frozenset({"connected"})]


async def test_a_half_open_connection_is_detected(
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


async def test_a_slow_mpd(server: mpd.Mpd, tmp_path: Path) -> None:
    async with (
        wired(tmp_path / "socket", server.socket) as wire,
        watching(at(tmp_path / "socket"), server.music) as watched,
    ):
        await watched.connected()
        wire.delay_seconds = 0.1

        await watched.player.enqueue(Uri("one.wav"))

        assert len(await watched.player.queue()) == 1
        assert frozenset({"lost"}) not in watched.told


async def test_many_concurrent_commands(server: mpd.Mpd) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()

        ids = await asyncio.gather(*(watched.player.enqueue(Uri("one.wav")) for _ in range(300)))

        assert len(set(ids)) == 300
        assert [entry.song_id for entry in await watched.player.queue()] == ids


async def test_a_cancelled_caller(server: mpd.Mpd) -> None:
    async with watching(at(server.socket), server.music) as watched:
        await watched.connected()
        for _ in range(20):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.0002):
                    await watched.player.stickers("rating")

        assert (await watched.player.state()).playback_state is PlaybackState.STOP


async def test_a_long_queue(server: mpd.Mpd) -> None:
    async with watching(at(server.socket, timeout_seconds=10), server.music) as watched:
        await watched.connected()
        (server.folder / "long.m3u").write_text("one.wav\n" * 2500)
        await asyncio.to_thread(server.mpc, "load", "long")

        first = await watched.player.queue()
        second = await watched.player.queue()

        assert [entry.position for entry in first] == list(range(2500))
        assert second is first


async def test_many_stickers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

            # An MPD whose directories never end
            monkeypatch.setattr(stickers, "MAX_STICKERS", 30)
            with pytest.raises(PlayerUnavailable, match="more than 30 stickers 'rating'"):
                await watched.player.stickers("rating")
            await watched.lost()


@pytest.mark.parametrize(
    "name", ["folder {tens} {x}/{number}.wav", '{number} "\\/{x}.wav', "flat/{number} {x}.wav"]
)
async def test_songs_of_a_large_database(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(song_listing, "MAX_SONGS_AT_ONCE", 12)
    monkeypatch.setattr(song_listing, "PAGE_SIZE", 9)
    monkeypatch.setattr(song_metadata, "PAGE_SIZES", (61, 5))
    songs = [name.format(number=each, tens=each // 10, x="x" * 150) for each in range(60)]
    with mpd.running(
        tmp_path, ["root.wav", *songs], seconds=0.1, extra='max_output_buffer_size "4"'
    ) as server:
        async with watching(at(server.socket, timeout_seconds=10), server.music) as watched:
            await watched.connected()

            found = {uri async for uris in watched.player.songs() for uri in uris}
            stamps = {uri async for page in watched.player.stamps() for uri, _ in page}

            assert found == stamps == {"root.wav", *songs}
            assert frozenset({"lost"}) not in watched.told


async def test_commands_during_a_database_update(tmp_path: Path) -> None:
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
async def test_unexpected_responses_to_the_login(
    talk: Talk, server: mpd.Mpd, tmp_path: Path
) -> None:
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


async def test_an_unexpected_response_closes_the_connection(tmp_path: Path) -> None:
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


async def test_closing_during_a_command_logs_nothing(server: mpd.Mpd) -> None:
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
async def test_an_endless_response(
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


async def test_a_queue_that_is_too_long(tmp_path: Path) -> None:
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
