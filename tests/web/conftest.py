"""A home with an MPD, a daemon and the web page; and a browser. All tests here are slow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support import mpd as mpd_server
from tests.support.daemon import running_daemon
from tests.support.web_page import Home, running_browser, serving

HERE = Path(__file__).parent
expect.set_options(timeout=60_000)  # Playwright's 5 s are too short on a busy computer
SONGS = [f"Artist {number % 3}/song {number}.wav" for number in range(8)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this directory; the hook is given those of all directories."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A daemon that knows all songs of its MPD, and the page in front of it."""
    folder = tmp_path_factory.mktemp("home")
    with (
        mpd_server.running(folder, SONGS) as mpd,
        running_daemon(
            folder / "daemon", mpd.music, mpd.socket, "embedding:\n  embedder: features\n"
        ) as daemon,
        serving(folder / "web", daemon.socket) as url,
    ):
        daemon.until(lambda: daemon.status().library.tracks == len(SONGS))
        daemon.until(lambda: daemon.status().mpd.connected)
        yield Home(mpd, daemon, url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; each test opens contexts of its own in it."""
    with running_browser() as opened:
        yield opened
