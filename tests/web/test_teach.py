"""The page Teach me, in a browser."""

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from anagnorisis.v1.library_pb2 import TRACK_FILTER_RATED, ListTracksRequest
from tests.support.web_page import Home, csrf_token


@pytest.fixture(scope="module", autouse=True)
def embedded(home: Home) -> None:
    """All tracks are embedded: only those are suggested."""
    home.daemon.until(lambda: home.daemon.status().library.embedded == 8)


def shown(page: Page) -> str:
    """Return the title of the track to rate."""
    return page.locator(".lesson h2").inner_text()


def test_tracks_are_rated_and_skipped_one_after_the_other(home: Home, browser: Browser) -> None:
    phone = browser.new_page(viewport={"width": 320, "height": 640})
    phone.goto(f"{home.url}/teach")
    first = shown(phone)
    expect(phone.get_by_role("button", name="Rate 10 of 10")).to_be_in_viewport()
    phone.get_by_role("button", name="Rate 8 of 10").click()
    expect(phone.get_by_role("status")).to_contain_text(f"{first}: rated 8")
    expect(phone.locator(".lesson h2")).not_to_have_text(first)
    second = shown(phone)
    phone.get_by_role("button", name="Not now").click()
    expect(phone.locator(".lesson h2")).not_to_have_text(second)
    third = shown(phone)
    phone.reload()
    assert shown(phone) == third
    rated = home.daemon.library.ListTracks(ListTracksRequest(filter=TRACK_FILTER_RATED)).tracks
    assert [(track.title, track.rating) for track in rated] == [(first, 8)]
    expect(phone.get_by_role("combobox", name=f"Rate {first}")).to_have_value("8")
    expect(phone.get_by_text("1 rated track to learn from. 9 more")).to_be_visible()
    phone.close()


def test_the_preview_is_a_part_of_the_file(home: Home, browser: Browser) -> None:
    page = browser.new_page()
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{home.url}/teach")
    audio = page.locator("audio")
    assert not audio.evaluate("audio => audio.autoplay")
    assert not [url for url in loaded if "/audio/" in url], "nothing is loaded before a click"
    duration = audio.evaluate(
        "audio => new Promise(found => {"
        " audio.onloadedmetadata = () => found(audio.duration); audio.preload = 'auto';"
        " audio.load(); })"
    )
    assert duration == pytest.approx(20, abs=0.1)
    page.close()


def lesson(home: Home, visitor: httpx.Client) -> httpx.Response:
    """Return the page once it does not ask to be loaded again."""
    pages: list[httpx.Response] = []

    def found() -> bool:
        pages.append(visitor.get("/teach"))
        return "http-equiv" not in pages[-1].text

    home.daemon.until(found)
    return pages[-1]


def test_previews_play_by_themselves_if_that_was_chosen(home: Home) -> None:
    with home.visitor() as visitor:
        page = lesson(home, visitor)
        assert "autoplay" not in page.text.replace("teach/autoplay", "")
        form = {"csrf": csrf_token(page), "play": "yes", "back": "/teach"}
        assert " autoplay " in visitor.post("/teach/play", data=form).text


def test_it_says_when_nothing_is_left(home: Home) -> None:
    with home.visitor() as visitor:
        page = lesson(home, visitor)
        for _ in range(8):
            track_id = page.text.split('name="track_id" value="')[1][:32]
            form = {"csrf": csrf_token(page), "track_id": track_id, "rating": "5", "back": "/teach"}
            visitor.post("/rate", data=form)
            page = lesson(home, visitor)
            if "<audio" not in page.text:
                break
        assert page.status_code == 200
        assert "Rated just now" in page.text
        assert "<audio" not in page.text
