"""Stored playlists of real MPDs: this system's and MPD 0.24."""

from collections.abc import AsyncIterator, Iterator

import pytest

from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused
from anagnorisisd.mpd.playlists import COMMANDS_AT_ONCE, StoredPlaylists
from tests.support import mpd, trixie_mpd
from tests.support.connected_player import at, watching

pytestmark = pytest.mark.slow

SONGS = ("one.wav", 'folder/drei "größer" \\ x.wav')
ONE, TWO = map(Uri, SONGS)


@pytest.fixture(scope="module", params=["system", "0.24"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[mpd.Mpd]:
    program = ("mpd",) if request.param == "system" else trixie_mpd.command()
    folder = tmp_path_factory.mktemp("stored")
    with mpd.running(folder, SONGS, seconds=1, program=program) as running:
        running.mpc("add", "one.wav")
        yield running


@pytest.fixture
async def playlists(server: mpd.Mpd) -> AsyncIterator[StoredPlaylists]:
    for file in server.folder.glob("*.m3u"):
        file.unlink()
    async with watching(at(server.socket, timeout_seconds=30), server.music) as watched:
        await watched.connected()
        yield watched.player.playlists


async def test_create_and_read(playlists: StoredPlaylists) -> None:
    await playlists.create("empty")
    await playlists.create("two", [TWO, Uri("missing.wav"), ONE])

    assert await playlists.songs("empty") == []
    assert await playlists.songs("two") == [TWO, ONE]
    assert await playlists.songs("none") is None
    modified = await playlists.modified()
    assert set(modified) == {"empty", "two"}
    assert all(time.startswith("20") and time.endswith("Z") for time in modified.values())
    with pytest.raises(PlayerRefused, match="save"):
        await playlists.create("two")


async def test_long_playlists_and_songs_that_mpd_does_not_have(playlists: StoredPlaylists) -> None:
    songs = [ONE, TWO, "missing.wav"] * COMMANDS_AT_ONCE

    refused = await playlists.append("long", songs)
    await playlists.delete("long", range(1, 2 * COMMANDS_AT_ONCE - 1))

    assert refused == list(range(2, len(songs), 3))
    assert await playlists.songs("long") == [ONE, TWO]


async def test_exchange_for_an_empty_one(playlists: StoredPlaylists) -> None:
    await playlists.create("a", [ONE])

    await playlists.exchange("a", "taken", "empty")

    assert set(await playlists.modified()) == {"a", "taken"}
    assert await playlists.songs("a") == []
    assert await playlists.songs("taken") == [ONE]
    with pytest.raises(PlayerRefused, match="rename"):
        await playlists.exchange("none", "other", "empty")
    assert set(await playlists.modified()) == {"a", "taken"}


async def test_rename_replaces_nothing(playlists: StoredPlaylists) -> None:
    await playlists.create("a", [ONE])
    await playlists.create("b", [TWO])

    assert not await playlists.rename("a", "b")
    assert not await playlists.rename("none", "c")
    assert await playlists.rename("a", "c")
    assert not await playlists.empty_and_rename("c", "b")
    assert await playlists.empty_and_rename("c", "d")

    assert await playlists.songs("b") == [TWO]
    assert await playlists.songs("d") == []
    assert set(await playlists.modified()) == {"b", "d"}


async def test_replace_and_remove(playlists: StoredPlaylists) -> None:
    await playlists.create("a", [ONE])
    await playlists.create("b", [TWO])

    await playlists.replace("a", "b")
    await playlists.remove("b")

    assert await playlists.songs("a") == [TWO]
    await playlists.remove("a")
    assert await playlists.modified() == {}
