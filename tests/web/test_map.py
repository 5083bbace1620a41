"""The map of the library: what the browser is sent, and what a listener does with it."""

import math
import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect

from anagnorisis.v1.library_pb2 import GetLibraryMapResponse, ListTracksRequest
from anagnorisis.v1.rating_pb2 import RateTrackRequest
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web.library_map import Columns, Numbering, encode
from tests.support import mpd as mpd_server
from tests.support.daemon import running_daemon
from tests.support.web_page import Home, serving

SONGS = [f"Artist {number % 3}/song {number}.wav" for number in range(8)]
SHARE_OF_VIEW = 0.45
"""Pixels of the unit, as a share of the smaller side of the map, when the whole map is shown."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A daemon with eight embedded songs."""
    folder = tmp_path_factory.mktemp("map")
    settings = "embedding:\n  embedder: features\n"
    mpd_server.write_songs(folder / "music", SONGS, seconds=2.0)
    with (
        mpd_server.running(folder, []) as mpd,
        running_daemon(folder / "daemon", mpd.music, mpd.socket, settings) as daemon,
        serving(folder / "web", daemon.socket) as url,
    ):
        daemon.until(lambda: daemon.status().library.embedded == len(SONGS))
        yield Home(mpd, daemon, url)


class Decoded(NamedTuple):
    """A map as the browser reads it."""

    version: str
    x: list[float]
    y: list[float]
    rating: list[int]
    predicted: list[int]
    score: list[int]


def decode(data: bytes) -> Decoded:
    (count,) = struct.unpack_from("<I", data, 8)
    assert len(data) == 12 + 7 * count
    coordinates = [value / 32767 for value in struct.unpack_from(f"<{2 * count}h", data, 12)]
    columns = [list(data[12 + part * count : 12 + (part + 1) * count]) for part in (4, 5, 6)]
    return Decoded(data[:8].hex(), coordinates[:count], coordinates[count:], *columns)


NUMBER = st.floats(0, 10) | st.just(math.nan)
TRACK = st.tuples(st.floats(-1, 1), st.floats(-1, 1), NUMBER, NUMBER, st.floats(-9, 9))


@given(st.lists(TRACK, max_size=30), st.integers(1, 7), st.booleans())
def test_the_browser_gets_what_the_daemon_sent(
    tracks: list[tuple[float, ...]], size: int, tag: bool
) -> None:
    messages = []
    for start in range(0, max(1, len(tracks)), size):
        part = tracks[start : start + size]
        ids = b"".join(struct.pack(">QQ", 7, start + row) for row in range(len(part)))
        x, y, rating, predicted, score = ([track[each] for track in part] for each in range(5))
        messages.append(
            GetLibraryMapResponse(
                track_ids=ids, x=x, y=y, rating=rating, predicted_rating=predicted,
                sound_tag_score=score if tag else [],
            )
        )  # fmt: skip
    columns = Columns.joined(messages)
    decoded = decode(encode(columns))
    assert decoded.x == pytest.approx([track[0] for track in tracks], abs=1e-4)
    assert decoded.y == pytest.approx([track[1] for track in tracks], abs=1e-4)
    for sent, received in ((2, decoded.rating), (3, decoded.predicted)):
        for track, value in zip(tracks, received, strict=True):
            assert (
                (value == 255) if math.isnan(track[sent]) else abs(value / 25 - track[sent]) < 0.03
            )
    for track, value in zip(tracks, decoded.score, strict=True):
        assert value == 255 if not tag else value == min(max(round(track[4] * 30) + 125, 0), 250)
    numbering = Numbering()
    numbering.add(columns)
    every = range(len(tracks))
    named = list(numbering.track_ids(decoded.version, [*every, -1, len(tracks), 10**9]))
    assert len(named) == len(tracks)
    assert numbering.numbers(decoded.version, [*named, "00" * 16]) == list(every)


def titles(home: Home) -> dict[str, str]:
    tracks = home.daemon.library.ListTracks(ListTracksRequest()).tracks
    return {track.title: track.track_id for track in tracks}


def test_every_track_is_on_the_map_and_has_a_name(home: Home) -> None:
    target = Target(track_id=titles(home)["song 2"])
    home.daemon.rating.RateTrack(RateTrackRequest(target=target, rating=6.5))
    with home.visitor() as visitor:
        drawn = decode(visitor.get("/map/data").content)
        assert sorted(drawn.rating) == [int(6.5 * 25)] + 7 * [255]
        dot = drawn.rating.index(int(6.5 * 25))
        query = {"version": drawn.version, "dots": str(dot)}
        assert "song 2" in visitor.get("/map/tracks", params=query).text
        label = visitor.get("/map/tracks", params=query, headers={"x-fragment": "label"}).text
        assert label.split() == ["song", "2,", "rated", "6.5"]
        every = "-".join(map(str, range(8)))
        page = visitor.get("/map/tracks", params=query | {"dots": every}).text
        assert all(title in page for title in titles(home))


def test_the_search_finds_the_dots_of_the_tracks(home: Home) -> None:
    with home.visitor() as visitor:
        drawn = decode(visitor.get("/map/data").content)
        query = {"version": drawn.version, "q": "Artist 1"}
        found = visitor.get("/map/search", params=query).content
        numbers = [str(number) for (number,) in struct.iter_unpack("<I", found)]
        page = visitor.get("/map/tracks", params=query | {"dots": "-".join(numbers)}).text
        assert [f"song {number}" in page for number in range(8)] == [
            number % 3 == 1 for number in range(8)
        ]


def test_a_map_that_is_not_known_any_more_has_to_be_loaded_again(home: Home) -> None:
    with home.visitor() as visitor:
        for path in (
            "/map/tracks?version=0123456789abcdef&dots=1",
            "/map/search?q=a",
            "/map/tracks",
        ):
            assert visitor.get(path).status_code == 409
        assert visitor.get("/map/data?tag=no-such-tag").status_code in {400, 409}


def open_map(home: Home, page: Page) -> None:
    page.goto(f"{home.url}/map")
    expect(page.locator('#map[data-dots="8"]')).to_be_visible()


def test_a_dot_is_tapped_and_its_track_rated(home: Home, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    open_map(home, page)
    with home.visitor() as visitor:
        drawn = decode(visitor.get("/map/data").content)
        dot = 3
        query = {"version": drawn.version, "dots": str(dot)}
        label = visitor.get("/map/tracks", params=query, headers={"x-fragment": "label"}).text
    title = label.split(",")[0].strip()
    box = page.locator("#map").bounding_box()
    assert box is not None
    unit = SHARE_OF_VIEW * min(box["width"], box["height"])
    place = {
        "x": box["width"] / 2 + drawn.x[dot] * unit,
        "y": box["height"] / 2 + drawn.y[dot] * unit,
    }
    page.locator("#dots").click(position=place)  # type: ignore[arg-type]
    expect(page.get_by_role("status")).to_contain_text(title)
    first = page.locator("#nearest li").first
    expect(first).to_contain_text(title)
    expect(page.locator("#nearest li")).to_have_count(8)
    first.get_by_role("combobox").select_option("9.5")
    home.daemon.until(lambda: rating_of(home, title) == 9.5)
    page.close()


def test_two_fingers_zoom_around_their_middle(home: Home, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 1200}, has_touch=True)
    page = context.new_page()
    open_map(home, page)
    with home.visitor() as visitor:
        drawn = decode(visitor.get("/map/data").content)
        places, box = list(zip(drawn.x, drawn.y, strict=True)), page.locator("#map").bounding_box()
        assert box is not None
        middle = min(range(8), key=lambda dot: math.hypot(*places[dot]))
        near = sorted(range(8), key=lambda dot: math.dist(places[dot], places[middle]))[1]
        query = {"version": drawn.version, "dots": str(near)}
        label = visitor.get("/map/tracks", params=query, headers={"x-fragment": "label"}).text
    unit = SHARE_OF_VIEW * min(box["width"], box["height"])
    x = box["x"] + box["width"] / 2 + unit * places[middle][0]
    y = box["y"] + box["height"] / 2 + unit * places[middle][1]
    fingers = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touched = [{"x": at, "y": down, "id": number} for number, (at, down) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    touch("touchStart", (x, y - 30), (x, y + 30))
    for apart in range(31, 61):
        touch("touchMove", (x, y - apart), (x, y + apart))
    touch("touchEnd")
    moved = [2 * unit * (places[near][axis] - places[middle][axis]) for axis in (0, 1)]
    page.touchscreen.tap(x + moved[0], y + moved[1])

    expect(page.get_by_role("status")).to_contain_text(label.split(",")[0].strip())
    context.close()


def rating_of(home: Home, title: str) -> float:
    tracks = home.daemon.library.ListTracks(ListTracksRequest()).tracks
    return next(track.rating for track in tracks if track.title == title)


def test_the_keyboard_goes_from_dot_to_dot_and_to_the_track(home: Home, browser: Browser) -> None:
    page = browser.new_page(reduced_motion="reduce")
    open_map(home, page)
    page.locator("#dots").focus()
    status, first = page.get_by_role("status"), page.locator("#nearest li a").first
    for _ in SONGS:
        page.keyboard.press("ArrowLeft")
    expect(status).to_have_text("There is no dot in this direction.")
    left = first.inner_text()
    for _ in SONGS:
        page.keyboard.press("ArrowRight")
    expect(status).to_have_text("There is no dot in this direction.")
    expect(first).not_to_have_text(left)
    page.keyboard.press("Enter")
    expect(page.locator("#nearest a").first).to_be_focused()
    page.close()


def test_what_is_searched_is_chosen(home: Home, browser: Browser) -> None:
    page = browser.new_page()
    open_map(home, page)
    page.get_by_role("searchbox").fill("song 4")
    expect(page.get_by_role("status")).to_contain_text("song 4")
    expect(page.locator("#nearest li").first).to_contain_text("song 4")
    page.close()
