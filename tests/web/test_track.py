"""The page of one track: facts, rating, history, reasons and similar tracks."""

import re

import pytest
from playwright.sync_api import Browser, expect

from anagnorisis.v1.library_pb2 import ListTracksRequest
from anagnorisis.v1.track_pb2 import Target
from tests.support.web_page import Home


def target(home: Home, title: str) -> Target:
    """Return the track of this title."""
    listed = home.daemon.library.ListTracks(ListTracksRequest(text=title)).tracks
    return Target(track_id=next(found.track_id for found in listed if found.title == title))


@pytest.fixture(scope="module", autouse=True)
def embedded(home: Home) -> None:
    """All tracks are embedded: without that there are no similar ones."""
    home.daemon.until(lambda: home.daemon.status().library.embedded == 8)


def test_the_page_has_facts_reasons_and_similar_tracks(home: Home) -> None:
    song = target(home, "song 2")
    with home.visitor() as visitor:
        page = visitor.get(f"/tracks/{song.track_id}").text
    assert "<dd>Artist 2/song 2.wav</dd>" in page
    assert "<dd>0:20</dd>" in page
    assert re.search(r"rank [1-8] of 8", page)
    similar = page[page.index('id="similar"') :]
    assert len(set(re.findall(r'data-track="([0-9a-f]{32})"', similar)) - {song.track_id}) == 7


def test_a_rating_enters_the_history_and_is_cleared(home: Home, browser: Browser) -> None:
    song = target(home, "song 4")
    page = browser.new_page()
    page.goto(f"{home.url}/tracks/{song.track_id}")
    expect(page.get_by_text("Not rated so far.")).to_be_visible()
    rating = page.get_by_role("region", name="Rating", exact=True)
    rating.get_by_role("button", name="Rate 6 of 10").click()
    history = page.locator("[data-block=history]").get_by_role("row")
    expect(history).to_have_count(2)
    expect(history.nth(1)).to_contain_text("6web")
    rating.get_by_role("button", name="Clear rating").click()
    expect(history).to_have_count(3)
    expect(history.nth(1)).to_contain_text("cleared")
    page.close()


def test_a_rating_of_another_track_does_not_load_the_history_again(
    home: Home, browser: Browser
) -> None:
    page = browser.new_page()
    other = target(home, "song 6").track_id
    stream = f'retry: 1000000\nevent: track_rated\ndata: {{"track_id": "{other}"}}\n\n'
    page.route(
        "**/events*",
        lambda route: route.fulfill(
            body=stream.encode(), headers={"content-type": "text/event-stream"}
        ),
    )
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.headers.get("x-fragment", "")))
    with page.expect_response(lambda answer: answer.request.headers.get("x-fragment") == "reasons"):
        page.goto(f"{home.url}/tracks/{target(home, 'song 5').track_id}")
    assert "history" not in fetched
    page.close()


def test_what_cannot_be_explained_has_its_reason(home: Home) -> None:
    (home.mpd.music / "Artist 1/song 7.wav").unlink()
    home.daemon.until(lambda: home.daemon.status().library.missing == 1)
    with home.visitor() as visitor:
        page = visitor.get(f"/tracks/{target(home, 'song 7').track_id}")
        assert page.status_code == 200
        assert "The file is not there." in page.text
        assert "Play now" not in page.text
        assert visitor.get(f"/tracks/{0:032}").status_code == 404
