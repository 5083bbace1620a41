"""`anagnorisis-rate`, the script behind a key, with a real MPD and a stand-in for the desktop."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from anagnorisis import mpd as client
from anagnorisis.mpd_address import Address
from anagnorisisd.config.schema import Rpc, Tcp
from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import EPOCH, add_tracks, scanned, track_id
from tests.support.mpd import Mpd, running
from tests.support.rpc import House, Outcome, command, serving
from tests.support.until import until

pytestmark = pytest.mark.slow

SONGS = ("a.wav", "b.wav")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mpd]:
    with running(tmp_path_factory.mktemp("mpd"), SONGS) as mpd:
        yield mpd


@pytest.fixture
def mpd(server: Mpd) -> Mpd:
    """The server, playing the first of two songs."""
    server.mpc("clear")
    server.mpc("consume", "off")
    server.mpc("add", *SONGS)
    server.mpc("play")
    return server


@pytest.fixture
async def house(
    stores: Stores, clock: FakeClock, tmp_path: Path, server: Mpd
) -> AsyncIterator[House]:
    house = House.build(stores, clock)
    house.player.address = str(server.socket)
    await add_tracks(stores, *SONGS)
    house.player.database = {Uri(uri): 100.0 for uri in SONGS}
    async with serving(house, tmp_path / "sock"):
        yield house


def free_port() -> int:
    """Return a port of this computer that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Desktop:
    """A folder of programs that a desktop would have, each writing down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def install(self, name: str, answer: str = "", seconds: float = 0.0) -> None:
        """Put a program there that answers after a while."""
        program = self.folder / name
        program.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$@\" >> {self.folder}/{name}.called\n"
            f"sleep {seconds}\n"
            f"echo {answer}\n"
        )
        program.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """Return the words that a program was called with, all calls after another."""
        called = self.folder / f"{name}.called"
        return called.read_text().splitlines() if called.exists() else []


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    return Desktop(tmp_path / "bin")


async def press(tmp_path: Path, *words: str, mpd: Mpd | None = None) -> Outcome:
    """Press the key: on a desktop, with an MPD that may be away."""
    return await command(
        "anagnorisis-rate",
        *words,
        socket=tmp_path / "sock",
        MPD_HOST=str(mpd.socket if mpd else tmp_path / "no-mpd"),
        PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin",
    )


async def current(house: House) -> dict[str, float | None]:
    """Return the rating of each song that has one."""
    ratings = await house.stores.ratings.current()
    names = {track_id(uri): uri for uri in SONGS}
    return {names[track]: rating.value for track, rating in ratings.items()}


@pytest.mark.parametrize(
    ("words", "rating"),
    [(["8"], 8), (["7.5"], 7.5), (["up"], 6), (["down"], 4), (["+2"], 7), (["-2"], 3)],
)
async def test_the_song_that_plays_is_rated(
    house: House, mpd: Mpd, tmp_path: Path, words: list[str], rating: float
) -> None:
    done = await press(tmp_path, *words, mpd=mpd)

    assert (done.code, done.err) == (0, "")
    assert done.out == f"a: {rating:g} (was none)\n"
    assert await current(house) == {"a.wav": rating}
    assert (await house.stores.ratings.history(limit=1))[0].source == "key"


async def test_more_like_this_and_mood_off(house: House, mpd: Mpd, tmp_path: Path) -> None:
    more = await press(tmp_path, "more-like-this", mpd=mpd)
    off = await press(tmp_path, "mood-off", mpd=mpd)

    assert (more.code, more.out) == (0, "mood: like a; for 10 more songs\n")
    assert (off.code, off.out) == (0, "mood: off\n")
    assert await current(house) == {}


async def test_clear_and_undo(house: House, mpd: Mpd, tmp_path: Path) -> None:
    await press(tmp_path, "8", mpd=mpd)

    assert (await press(tmp_path, "clear", mpd=mpd)).out == "a: no rating (was 8)\n"
    assert (await press(tmp_path, "undo", mpd=mpd)).out == "a: 8 (was none)\n"


@pytest.mark.parametrize("consume", ["off", "on"])
async def test_a_song_that_changes_after_the_press_is_not_hit(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path, consume: str
) -> None:
    await mpd.ask("consume", consume)
    desktop.install("rofi", answer="9", seconds=1.0)
    pressing = asyncio.create_task(press(tmp_path, "--menu", mpd=mpd))
    await until(lambda: bool(desktop.calls("rofi")))

    await mpd.ask("next")
    await pressing

    assert await current(house) == {"a.wav": 9}


async def test_skip_and_lower_does_both(house: House, mpd: Mpd, tmp_path: Path) -> None:
    done = await press(tmp_path, "skip-and-lower", mpd=mpd)

    assert done.code == 0
    assert await current(house) == {"a.wav": 4}
    assert (await mpd.ask("current", "--format", "%file%")) == "b.wav"


async def test_skip_and_lower_does_not_skip_what_came_meanwhile(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path
) -> None:
    desktop.install("rofi", answer="skip-and-lower", seconds=1.0)
    pressing = asyncio.create_task(press(tmp_path, "--menu", mpd=mpd))
    await until(lambda: bool(desktop.calls("rofi")))
    await mpd.ask("next")
    await pressing

    assert await current(house) == {"a.wav": 4}
    assert (await mpd.ask("current", "--format", "%file%")) == "b.wav"


async def test_current_song_from_the_daemon_without_local_mpd(house: House, tmp_path: Path) -> None:
    house.player.add("b.wav")
    await house.player.play()

    done = await press(tmp_path, "8")

    assert done.code == 0
    assert await current(house) == {"b.wav": 8}


async def test_skip_without_mpd_fails_after_the_rating(house: House, tmp_path: Path) -> None:
    house.player.add("b.wav")
    await house.player.play()

    done = await press(tmp_path, "skip-and-lower")

    assert done.code == 1
    assert done.err.startswith("anagnorisis-rate: rated, but not skipped")
    assert await current(house) == {"b.wav": 4}


async def test_notification_replaces_the_previous_one_without_waiting(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path
) -> None:
    desktop.install("notify-send", seconds=30)

    begun = time.monotonic()
    await press(tmp_path, "8", mpd=mpd)

    assert time.monotonic() - begun < 20
    await until(lambda: desktop.calls("notify-send")[-2:] == ["8 (was none)", "a"])
    hints = [word for word in desktop.calls("notify-send") if word.startswith("--hint")]
    assert "--hint=string:x-canonical-private-synchronous:anagnorisis" in hints


async def test_a_title_is_text_in_a_notification(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path
) -> None:
    desktop.install("notify-send")
    tags = Tags(title="<b>Tom</b> & Jerry")
    await house.stores.library.store_files([scanned("c.wav", tags=tags)], EPOCH)
    house.player.database[Uri("c.wav")] = 100.0
    house.player.add("c.wav")
    await house.player.play()

    await press(tmp_path, "8")

    shown = "&lt;b&gt;Tom&lt;/b&gt; &amp; Jerry"
    await until(lambda: desktop.calls("notify-send")[-2:] == ["8 (was none)", shown])


async def test_a_failure_is_shown_too(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path
) -> None:
    desktop.install("notify-send")

    done = await press(tmp_path, "11", mpd=mpd)

    assert done.code == 2
    await until(lambda: desktop.calls("notify-send")[-1:] == ["rating: 11 is not between 0 and 10"])


@pytest.mark.parametrize("menu", ["rofi", "wofi", "fuzzel", "dmenu"])
async def test_the_menu_that_is_there_is_used(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path, menu: str
) -> None:
    desktop.install(menu, answer="7")

    done = await press(tmp_path, "--menu", mpd=mpd)

    assert done.code == 0
    assert desktop.calls(menu)
    assert await current(house) == {"a.wav": 7}


async def test_leaving_the_menu_changes_nothing(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path
) -> None:
    desktop.install("rofi")

    done = await press(tmp_path, "--menu", mpd=mpd)

    assert (done.code, done.out, done.err) == (0, "", "")
    assert await current(house) == {}


@pytest.mark.parametrize(
    ("words", "code"), [([], 2), (["loud"], 2), (["--menu"], 1), (["8", "9"], 2)]
)
async def test_unknown_action_prints_an_error(
    house: House, mpd: Mpd, tmp_path: Path, words: list[str], code: int
) -> None:
    done = await press(tmp_path, *words, mpd=mpd)

    assert done.code == code
    assert "anagnorisis-rate: " in done.err
    assert await current(house) == {}


async def test_a_menu_answer_that_means_nothing_is_refused(
    house: House, mpd: Mpd, desktop: Desktop, tmp_path: Path
) -> None:
    desktop.install("rofi", answer="loud")

    done = await press(tmp_path, "--menu", mpd=mpd)

    assert (done.code, done.err.count("\n")) == (2, 1)


def test_an_endless_answer_of_mpd_is_given_up() -> None:
    ours, theirs = socket.socketpair()

    def talk() -> None:
        with suppress(OSError):
            for number in itertools.count():
                theirs.sendall(b"Tag%d: x\n" % number)

    talker = threading.Thread(target=talk, daemon=True)
    with ours:
        talker.start()
        with pytest.raises(ConnectionError, match="lines in response to currentsong"):
            client.Mpd(ours, Address("/nowhere")).current()
        ours.shutdown(socket.SHUT_RDWR)
    talker.join()
    theirs.close()


async def test_without_a_daemon_it_says_so(tmp_path: Path, mpd: Mpd) -> None:
    done = await press(tmp_path, "8", mpd=mpd)

    assert done.code == 69
    assert done.err.startswith("anagnorisis-rate: no daemon answers on ")


async def test_the_song_of_another_mpd_is_not_rated(house: House, mpd: Mpd, tmp_path: Path) -> None:
    house.player.address = "localhost:6601"
    house.player.add("b.wav")
    await house.player.play()

    assert (await press(tmp_path, "8", mpd=mpd)).code == 0
    assert await current(house) == {"b.wav": 8}

    lowered = await press(tmp_path, "skip-and-lower", mpd=mpd)
    assert lowered.code == 1
    assert "rated, but not skipped" in lowered.err
    assert await current(house) == {"b.wav": 7}
    assert (await mpd.ask("current", "--format", "%file%")) == "a.wav"


async def test_a_port_alone_means_localhost_and_not_the_usual_sockets(
    house: House, mpd: Mpd, tmp_path: Path
) -> None:
    port = free_port()
    extra = f'bind_to_address "127.0.0.1"\nport "{port}"'
    with running(tmp_path / "other", SONGS, extra=extra) as other:
        other.mpc("add", "b.wav")
        other.mpc("play")
        (tmp_path / "runtime" / "mpd").mkdir(parents=True)
        (tmp_path / "runtime" / "mpd" / "socket").symlink_to(mpd.socket)
        house.player.address = f"localhost:{port}"

        done = await command(
            "anagnorisis-rate",
            "8",
            socket=tmp_path / "sock",
            XDG_RUNTIME_DIR=str(tmp_path / "runtime"),
            MPD_HOST="",
            MPD_PORT=str(port),
        )

    assert (done.code, done.out) == (0, "b: 8 (was none)\n")
    assert await current(house) == {"b.wav": 8}


async def test_remote_daemon_with_another_mpd(
    stores: Stores, clock: FakeClock, mpd: Mpd, tmp_path: Path
) -> None:
    await add_tracks(stores, *SONGS)
    house, port, token = House.build(stores, clock), free_port(), tmp_path / "token"
    house.player.address = str(mpd.socket)  # of another computer
    house.player.database = {Uri(uri): 100.0 for uri in SONGS}
    house.player.add("b.wav")
    await house.player.play()
    token.write_text("0123456789abcdef0123\n")
    token.chmod(0o600)
    tcp = Tcp(address=f"127.0.0.1:{port}", token_file=token)
    async with serving(house, tmp_path / "sock", Rpc(tcp=tcp)):
        done = await command(
            "anagnorisis-rate",
            "8",
            MPD_HOST=str(mpd.socket),
            ANAGNORISIS_ADDRESS=f"127.0.0.1:{port}",
            ANAGNORISIS_TOKEN_FILE=str(token),
        )

    assert (done.code, done.out) == (0, "b: 8 (was none)\n"), done.err
