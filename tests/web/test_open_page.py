"""A page that stays open while it is hidden, and while the daemon and MPD are restarted."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.support.web_page import Home
from tests.web.test_now import play

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def page(home: Home, browser: Browser) -> Iterator[Page]:
    play(home, "Artist 0/song 0.wav")
    home.mpd.mpc("pause")  # the song has to last as long as the test
    opened = browser.new_page()
    opened.goto(home.url)
    expect(opened.get_by_role("heading", name="song 0")).to_be_visible()
    yield opened
    opened.close()


def is_stream(request: Request) -> bool:
    return "/events" in request.url


def test_a_hidden_page_listens_to_nothing_and_catches_up(home: Home, page: Page) -> None:
    with page.expect_event("requestfailed", is_stream, timeout=60_000):
        page.evaluate(HIDE, True)
    play(home, "Artist 1/song 1.wav")
    with page.expect_request(is_stream, timeout=60_000):
        page.evaluate(HIDE, False)
    expect(page.get_by_role("heading", name="song 1")).to_be_visible()


def test_a_restarted_daemon_is_found_again(home: Home, page: Page, browser: Browser) -> None:
    home.daemon.stop()
    expect(page.get_by_role("status")).to_have_text("No connection; trying again")
    late = browser.new_page()
    late.goto(home.url)
    expect(late.get_by_text("no daemon answers")).to_be_visible()

    home.daemon.restart()
    expect(late.get_by_role("heading", name="song 0")).to_be_visible()
    late.close()
    expect(page.get_by_role("status")).to_be_empty()
    page.get_by_role("button", name="Rate 4 of 10").click()
    expect(page.get_by_role("status")).to_have_text("song 0: rated 4")


def test_a_restarted_mpd_is_found_again(home: Home, page: Page) -> None:
    home.mpd.stop()
    expect(page.get_by_text("No connection to MPD")).to_be_visible()
    home.mpd.start()
    expect(page.get_by_text("No connection to MPD")).to_be_hidden()
    play(home, "Artist 2/song 2.wav")
    expect(page.get_by_role("heading", name="song 2")).to_be_visible()
