"""Cantata, a graphical client, on a virtual screen: its stars are ratings here, and vice versa."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anagnorisisd.config import schema
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.services_with_mpd import mpd_services
from tests.support.until import until, until_async

pytestmark = pytest.mark.slow

SONG = "a.wav"
CONFIG = """\
[General]
version=2.5.0

[Connection]
host={socket}
port=6600
dir={music}/
passwd=
"""
SELECT = ("mousemove", "700", "400", "click", "1", "key", "ctrl+a")
"""Click into the queue, below its only song, and select all of it."""

NEEDED = ("Xvfb", "xdotool", "dbus-run-session", "cantata")

ATTEMPT_SECONDS = 5.0


class Desktop:
    """An X server, whose screen is a file, with a program on it."""

    def __init__(self, folder: Path) -> None:
        self._screen, self._log = folder / "Xvfb_screen0", folder / "log"
        display, write_end = os.pipe()
        # Without -noreset it starts anew, and refuses connections, whenever its only client ends.
        command = ["Xvfb", "-displayfd", str(write_end), "-fbdir", str(folder), "-noreset"]
        self._processes = [
            subprocess.Popen(
                [*command, "-nolisten", "tcp", "-screen", "0", "1024x700x24"],
                pass_fds=[write_end],
                stderr=subprocess.DEVNULL,
            )
        ]
        os.close(write_end)
        with os.fdopen(display) as number:
            self._environment = {**os.environ, "DISPLAY": f":{number.readline().strip()}"}

    def start(self, *command: str, **environment: str) -> None:
        """Start a program with a D-Bus of its own: Cantata ends without one."""
        with self._log.open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    ["dbus-run-session", "--", *command],
                    env=self._environment | environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def do(self, *words: str) -> bool:
        """Move the mouse and press keys by xdotool; return false if there is no window yet."""
        assert self._processes[-1].poll() is None, self._log.read_text()
        window = ("search", "--onlyvisible", "--name", "Cantata", "windowfocus")
        done = subprocess.run(
            ["xdotool", *window, *words],
            env=self._environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return not done.returncode

    def picture(self) -> bytes:
        """Return what the screen shows."""
        return self._screen.read_bytes()

    def close(self) -> None:
        """End the program with what it started, then the server."""
        server, *programs = self._processes
        for program in programs:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("cantata"), [SONG]) as running:
        running.mpc("add", SONG)
        yield running


@pytest.fixture
def desktop(server: mpd.Mpd, tmp_path: Path) -> Iterator[Desktop]:
    """Start Cantata with that MPD."""
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    config = tmp_path / "config" / "cantata" / "cantata.conf"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG.format(socket=server.socket, music=server.music))
    opened = Desktop(tmp_path)
    opened.start(
        "cantata",
        HOME=str(tmp_path),
        XDG_CONFIG_HOME=str(tmp_path / "config"),
        XDG_RUNTIME_DIR=str(tmp_path),
        QT_QPA_PLATFORM="xcb",
    )
    yield opened
    opened.close()


async def comes_true(condition: Callable[[], bool]) -> bool:
    """Return whether a condition holds within a few seconds."""
    try:
        await until(condition, ATTEMPT_SECONDS)
    except AssertionError:
        return False
    return True


async def test_stars_are_ratings_and_ratings_are_stars(
    server: mpd.Mpd, stores: Stores, desktop: Desktop
) -> None:
    picks = schema.Picks(enabled=False)
    async with mpd_services(server, stores, picks=picks) as listener:

        async def gives(stars: int, rating: float | None) -> None:
            """Select the song and press the keys for some stars, until the rating arrives."""

            async def holds() -> bool:
                return await listener.rating(SONG) == rating

            async def is_rated() -> bool:
                if not await asyncio.to_thread(desktop.do, *SELECT, f"alt+{stars}"):
                    return False
                try:
                    await until_async(holds, ATTEMPT_SECONDS)
                except AssertionError:
                    return False
                return True

            await until_async(is_rated, 120)

        async def shows_a_rating_and_its_removal() -> bool:
            blank = desktop.picture()
            server.mpc("sendmessage", "anagnorisis", f"rate 7 {SONG}")
            if not await comes_true(lambda: desktop.picture() != blank):
                return False
            server.mpc("sendmessage", "anagnorisis", f"clear {SONG}")
            return await comes_true(lambda: desktop.picture() == blank)

        await gives(4, 8.0)
        await gives(1, 2.0)
        await gives(0, None)
        await until_async(shows_a_rating_and_its_removal, 120)
        assert set(await listener.sources()) == {"sticker", "channel"}
