"""The page Library: search, filters, pages, rating in place and the update of the library."""

import re
import shutil
from collections.abc import Iterator
from html import unescape

import pytest
from playwright.sync_api import Browser, expect

from anagnorisis.v1.library_pb2 import ListTracksRequest
from anagnorisis.v1.rating_pb2 import ListRatingsRequest
from anagnorisis.v1.track_pb2 import Target, Track
from tests.support import mpd as mpd_server
from tests.support.daemon import running_daemon
from tests.support.web_page import Home, csrf_token, serving

HOSTILE = "<img src=x onerror=alert(1)>"
SONGS = [f"Artist {number % 3}/song {number}.wav" for number in range(55)] + [f"{HOSTILE}.wav"]
NAMES = re.compile(r'<a href="/tracks/[0-9a-f]{32}">(.*?)</a>')
NEXT = re.compile(r'<a href="([^"]+)" rel="next">')


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A library of more than one page, with a file that is no music."""
    folder = tmp_path_factory.mktemp("library")
    with mpd_server.running(folder, SONGS, seconds=1) as mpd:
        (mpd.music / "broken.wav").write_bytes(b"no music")
        with (
            running_daemon(
                folder / "daemon", mpd.music, mpd.socket, "embedding:\n  embedder: features\n"
            ) as daemon,
            serving(folder / "web", daemon.socket) as url,
        ):
            daemon.until(lambda: daemon.status().library.tracks == len(SONGS))
            daemon.until(lambda: daemon.status().library.unusable_files == 1)
            yield Home(mpd, daemon, url)


def track(home: Home, title: str) -> Track:
    """Return the track of this title."""
    listed = home.daemon.library.ListTracks(ListTracksRequest(text=title)).tracks
    return next(found for found in listed if found.title == title)


def names(page: str) -> list[str]:
    """Return the titles of the tracks on a page, in its order."""
    return [unescape(name) for name in NAMES.findall(page)]


def listed(home: Home, query: str) -> list[str]:
    """Return the titles that the page lists for a query."""
    with home.visitor() as visitor:
        return names(visitor.get(f"/library?{query}").text)


def rate(home: Home, title: str, rating: str) -> str:
    """Rate a track by the form of the page, without scripts; return the page that follows."""
    with home.visitor() as visitor:
        page = visitor.get("/library")
        form = {
            "csrf": csrf_token(page),
            "track_id": track(home, title).track_id,
            "rating": rating,
            "back": "/library?q=song",
        }
        answer = visitor.post("/rate", data=form)
        assert str(answer.url.copy_remove_param("message")) == f"{home.url}/library?q=song"
        return answer.text


def test_the_pages_have_every_track_once(home: Home) -> None:
    found, url = [], "/library"
    with home.visitor() as visitor:
        while url:
            page = visitor.get(url).text
            found += names(page)
            following = NEXT.search(page)
            url = unescape(following[1]) if following else ""
    expected = [song.rsplit("/", 1)[-1].removesuffix(".wav") for song in SONGS]
    assert sorted(found) == sorted(expected)


def test_every_word_is_searched_for(home: Home) -> None:
    assert listed(home, "q=SONG+17") == ["song 17"]
    assert listed(home, "q=17+song") == ["song 17"]
    assert listed(home, "q=nowhere") == []


def test_filters_and_order_of_ratings(home: Home) -> None:
    rate(home, "song 20", "4")
    rate(home, "song 21", "9.5")
    assert listed(home, "show=rated&sort=rating&q=song+2") == ["song 21", "song 20"]
    assert {"song 20", "song 21"}.isdisjoint(listed(home, "show=unrated&q=song+2"))
    assert "song 20: rating cleared" in rate(home, "song 20", "")
    assert listed(home, "show=rated&q=song+2") == ["song 21"]


def test_unusable_files_have_their_reason(home: Home) -> None:
    with home.visitor() as visitor:
        page = visitor.get("/library?show=unusable").text
    (file,) = re.findall(r'<li><span>(.*)</span> <span class="faint">(.+)</span></li>', page)
    assert file[0] == "broken.wav"


def test_unknown_choices_are_the_defaults_and_a_wrong_page_is_an_error(home: Home) -> None:
    assert listed(home, "show=nothing&sort=size") == listed(home, "")
    with home.visitor() as visitor:
        assert visitor.get("/library?page=forged").status_code == 400
        assert visitor.get("/library?sound=polka").status_code in {400, 409}


def test_nothing_of_a_file_or_a_query_is_html(home: Home) -> None:
    with home.visitor() as visitor:
        page = visitor.get("/library", params={"q": HOSTILE})
    assert names(page.text) == [HOSTILE]
    assert "<img src=x" not in page.text


def test_search_and_rating_on_a_phone(home: Home, browser: Browser) -> None:
    phone = browser.new_page(viewport={"width": 320, "height": 640})
    phone.goto(f"{home.url}/library")
    phone.get_by_role("searchbox").fill("song 33")
    expect(phone.get_by_role("listitem")).to_have_count(1)
    phone.get_by_role("combobox", name="Rate song 33").select_option("7.5")
    expect(phone.get_by_role("status")).to_have_text("song 33: rated 7.5")
    expect(phone.get_by_role("combobox", name="Rate song 33")).to_have_value("7.5")
    assert track(home, "song 33").rating == 7.5
    phone.reload()
    expect(phone.get_by_role("listitem")).to_have_count(1)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 320
    phone.close()


def test_arrow_keys_rate_only_after_enter(home: Home, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{home.url}/library?q=song+34")
    select = page.get_by_role("combobox", name="Rate song 34")
    select.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(select).to_have_value("9")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("song 34: rated 9")
    target = Target(track_id=track(home, "song 34").track_id)
    history = home.daemon.rating.ListRatings(ListRatingsRequest(target=target)).ratings
    assert [entry.value for entry in history] == [9]
    page.close()


def test_a_rating_elsewhere_reaches_the_row(home: Home, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{home.url}/library?q=song+35")
    expect(page.get_by_role("combobox", name="Rate song 35")).to_have_value("")
    rate(home, "song 35", "2")
    expect(page.get_by_role("combobox", name="Rate song 35")).to_have_value("2")
    page.close()


def test_a_track_is_queued(home: Home) -> None:
    home.mpd.mpc("clear")
    with home.visitor() as visitor:
        page = visitor.get("/library")
        form = {"csrf": csrf_token(page), "track_id": track(home, "song 36").track_id}
        answer = visitor.post("/queue", data=form | {"position": "next", "back": "/library"})
    assert "song 36 plays next" in answer.text
    assert home.mpd.mpc("playlist", "--format", "%file%").startswith("Artist 0/song 36.wav")


def test_the_library_is_updated(home: Home, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{home.url}/library?q=added")
    mpd_server.write_songs(home.mpd.music, ["added later.wav"], 2)
    page.get_by_role("button", name="Update library").click()
    # The watcher may have seen the file before.
    expect(page.get_by_text(re.compile(r"^58 files: [01] added"))).to_be_visible()
    expect(page.get_by_role("link", name="added later")).to_be_visible()
    shutil.rmtree(home.mpd.music / "Artist 0")
    page.get_by_role("button", name="Update library").click()
    expect(page.get_by_text(re.compile(r"^39 files: "))).to_be_visible()
    page.close()
    home.daemon.until(lambda: home.daemon.status().library.missing == 19)
    assert "song 0" in listed(home, "show=missing")
