"""The web page as its users have it: a server in a process of its own, and a real browser."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from anagnorisis_web.passphrase import Passphrase
from tests.support.daemon import RunningDaemon
from tests.support.mpd import Mpd

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Home:
    """An MPD, a daemon and the web page, of one listener."""

    def __init__(self, mpd: Mpd, daemon: RunningDaemon, url: str) -> None:
        self.mpd = mpd
        self.daemon = daemon
        self.url = url

    def visitor(self) -> httpx.Client:
        """Return a client that keeps cookies, as a browser without scripts does."""
        return httpx.Client(base_url=self.url, follow_redirects=True, timeout=30)


@contextlib.contextmanager
def serving(
    folder: Path,
    socket: Path,
    arguments: Sequence[str] = (),
    program: Sequence[str | Path] = (sys.executable, "-m", "anagnorisis_web"),
) -> Iterator[str]:
    """Serve the page on a free port; yield its URL, without a slash at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "web.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [*program, "--socket", socket, "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_environment(folder),
        )  # fmt: skip
    try:
        assert server.stdout is not None
        announced = re.match(r"Page: (https?://\S+)/$", server.stdout.readline())
        assert announced, log.read_text()
        yield announced[1]
    finally:
        server.terminate()
        server.wait(30)
        assert server.stdout is not None
        server.stdout.close()


def run_page(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the program with arguments that it refuses."""
    return subprocess.run(
        [sys.executable, "-m", "anagnorisis_web", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=_environment(folder),
    )


def set_passphrase(folder: Path, passphrase: Passphrase) -> None:
    """Store the hash of a passphrase where the page in `folder` looks for it."""
    path = folder / "config" / "anagnorisis" / "web-passphrase.json"
    path.parent.mkdir(parents=True)
    content = {"salt": passphrase.salt.hex(), "scrypt": passphrase.digest.hex()}
    path.write_text(json.dumps(content))


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the browser of this computer, without a window."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def csrf_token(page: httpx.Response) -> str:
    """Return the token of the session that a page carries."""
    found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert found, page.text
    return found[1]
