"""Sessions with MPD: password, permissions, partitions and music directories."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused
from tests.support import mpd
from tests.support.connected_player import at, watching
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

    async def test_password_file(self, tmp_path: Path) -> None:
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

    async def test_a_fifo_as_password_file_is_not_waited_for(self, tmp_path: Path) -> None:
        fifo = tmp_path / "password"
        os.mkfifo(fifo, 0o600)
        config = at(tmp_path / "socket", password_file=fifo)
        async with watching(config, tmp_path) as watched:
            await until(lambda: "not a regular file" in (watched.player.link().reason or ""))

    async def test_missing_permissions_have_remedies(
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

    async def test_other_partitions_are_not_changed(self, server: mpd.Mpd) -> None:
        _say(server, "newpartition kitchen")
        async with watching(at(server.socket, partition="kitchen"), server.music) as watched:
            await watched.connected()

            await watched.player.enqueue(Uri("one.wav"))

            assert len(await watched.player.queue()) == 1
            assert server.mpc("playlist") == ""

    async def test_a_partition_that_does_not_exist(self, server: mpd.Mpd) -> None:
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

    async def test_library_inside_mpds_music_directory(self, server: mpd.Mpd) -> None:
        async with watching(at(server.socket), server.music / "rock") as watched:
            await watched.connected()

            song_id = await watched.player.enqueue(Uri("two.wav"))
            await watched.player.set_sticker(Uri("two.wav"), "like", "2")

            assert server.mpc("playlist", "-f", "%file%") == "rock/two.wav"
            assert await watched.player.uri_of(song_id) == "two.wav"
            assert await watched.player.stickers("like") == {"two.wav": "2"}
            assert await watched.player.has(Uri("two.wav"))

    async def test_mpds_music_directory_inside_the_library(self, server: mpd.Mpd) -> None:
        async with watching(at(server.socket), server.music.parent) as watched:
            await watched.connected()

            await watched.player.enqueue(Uri("music/one.wav"))

            assert server.mpc("playlist", "-f", "%file%") == "one.wav"
            with pytest.raises(PlayerRefused, match="outside"):
                await watched.player.enqueue(Uri("elsewhere/one.wav"))

    async def test_unrelated_directories(self, server: mpd.Mpd, tmp_path: Path) -> None:
        async with watching(at(server.socket), tmp_path / "other") as watched:
            await watched.connected()

            assert "mpd.music_directory" in watched.player.link().missing_features[0]
            with pytest.raises(PlayerRefused):
                await watched.player.enqueue(Uri("one.wav"))

    async def test_the_same_directory_under_another_path(
        self, server: mpd.Mpd, tmp_path: Path
    ) -> None:
        config = at(server.socket, music_directory=server.music)
        async with watching(config, tmp_path / "mounted") as watched:
            await watched.connected()

            await watched.player.enqueue(Uri("rock/two.wav"))

            assert server.mpc("playlist", "-f", "%file%") == "rock/two.wav"

    async def test_a_remote_mpd_that_does_not_tell_its_music_directory(
        self, tmp_path: Path
    ) -> None:
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
