"""The page Now, in a browser and without one."""

import re

import httpx
from playwright.sync_api import Browser, expect

from anagnorisis.v1 import pick_pb2 as picks
from anagnorisis.v1.daemon_pb2 import PlaybackState
from anagnorisis.v1.rating_pb2 import ListRatingsRequest
from tests.support import pictures
from tests.support.web_page import Home, csrf_token


def play(home: Home, song: str) -> None:
    home.mpd.mpc("clear")
    home.mpd.mpc("add", song)
    home.mpd.mpc("play")
    home.daemon.until(lambda: home.daemon.status().playback.uri == song)


def test_the_song_is_rated_by_a_tap_on_a_phone(home: Home, browser: Browser) -> None:
    play(home, "Artist 0/song 0.wav")
    phone = browser.new_page(viewport={"width": 320, "height": 640})
    phone.goto(home.url)
    expect(phone.get_by_role("heading", name="song 0")).to_be_visible()
    phone.get_by_role("button", name="Rate 8 of 10").click()
    expect(phone.get_by_role("status")).to_have_text("song 0: rated 8")
    expect(phone.get_by_text("rated 8", exact=True)).to_be_visible()
    assert home.daemon.status().playback.track.rating == 8
    phone.get_by_role("button", name="Rate 8.5 of 10").click()
    home.daemon.until(lambda: home.daemon.status().playback.track.rating == 8.5)
    phone.close()


def test_a_song_change_reaches_two_pages(home: Home, browser: Browser) -> None:
    play(home, "Artist 1/song 1.wav")
    pages = [browser.new_page(), browser.new_page()]
    for page in pages:
        page.goto(home.url)
        expect(page.get_by_role("heading", name="song 1")).to_be_visible()
    play(home, "Artist 2/song 2.wav")
    for page in pages:
        expect(page.get_by_role("heading", name="song 2")).to_be_visible()
        page.close()


def test_rating_without_scripts(home: Home) -> None:
    play(home, "Artist 0/song 3.wav")
    with home.visitor() as visitor:
        page = visitor.get("/")
        track_id = home.daemon.status().playback.track.track_id
        form = {"csrf": csrf_token(page), "track_id": track_id, "rating": "3", "back": "/"}
        answer = visitor.post("/rate", data=form)
    assert answer.url.path == "/"
    assert "song 3: rated 3" in answer.text
    assert home.daemon.status().playback.track.rating == 3


def post(home: Home, path: str, **fields: str) -> httpx.Response:
    """Send a form of the page, and return the page that is shown after it."""
    with home.visitor() as visitor:
        form = {"csrf": csrf_token(visitor.get("/")), "back": "/"} | fields
        return visitor.post(path, data=form)


def test_keys_control_the_player_and_rate_unless_switched_off(home: Home, browser: Browser) -> None:
    play(home, "Artist 1/song 4.wav")
    page = browser.new_page()
    page.goto(home.url)
    expect(page.get_by_role("heading", name="song 4")).to_be_visible()
    page.keyboard.press("Space")
    home.daemon.until(
        lambda: home.daemon.status().playback.state == PlaybackState.PLAYBACK_STATE_PAUSED
    )
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    track_id = home.daemon.status().playback.track.track_id

    page.get_by_text("Keys", exact=True).click()
    page.get_by_label("Keys rate and control").uncheck()
    page.keyboard.press("7")
    page.get_by_label("Keys rate and control").check()
    page.locator("h2").first.click()  # a choice that has the focus keeps the keys for itself
    page.keyboard.press("x")
    expect(page.get_by_role("status")).to_have_text("song 4: rated 10")
    page.keyboard.press("6")
    expect(page.get_by_role("status")).to_have_text("song 4: rated 6")
    page.keyboard.press("6")
    expect(page.get_by_role("status")).to_have_text("song 4: rated 6.5")
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_have_text("song 4: 6 (was 6.5)")

    request = ListRatingsRequest(page_size=100)
    request.target.track_id = track_id
    values = {change.value for change in home.daemon.rating.ListRatings(request).ratings}
    assert values == {10, 6, 6.5}
    page.close()


def test_the_elapsed_time_goes_on_and_follows_a_seek(home: Home, browser: Browser) -> None:
    play(home, "Artist 2/song 5.wav")
    page = browser.new_page()
    page.goto(home.url)
    elapsed = page.locator(".times span").first
    shown = elapsed.text_content() or ""
    expect(elapsed).not_to_have_text(shown)
    home.mpd.mpc("pause")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    home.mpd.mpc("seek", "0:17")
    expect(elapsed).to_have_text(re.compile("0:1[67]"))
    page.close()


def test_not_now_takes_a_pick_out_of_the_queue(home: Home) -> None:
    play(home, "Artist 0/song 0.wav")
    listed = picks.ListUpcomingPicksRequest()

    def removed() -> int | None:
        """Remove a pick, and return its id; nothing if another one has taken its place by then."""
        found = home.daemon.pick.ListUpcomingPicks(listed).picks
        if not found:
            return None
        with home.visitor() as visitor:
            shown = f"Not now: {found[0].track.title}" in visitor.get("/").text
        page = post(home, "/picks/remove", song_id=str(found[0].song_id))
        told = f"{found[0].track.title}: not now" in page.text
        return found[0].song_id if shown and told else None

    song_id = home.daemon.until(removed)
    left = home.daemon.pick.ListUpcomingPicks(listed).picks
    assert song_id not in {each.song_id for each in left}
    for wrong in ("x", "-1", "9" * 30, ""):
        assert post(home, "/picks/remove", song_id=wrong).status_code in {400, 409}


def test_picking_is_switched(home: Home) -> None:
    assert "Picking is off" in post(home, "/picks/switch", picking="off").text
    assert not home.daemon.status().picking_enabled
    assert "Switch picking off" in post(home, "/picks/switch", picking="on").text
    assert home.daemon.status().picking_enabled


def test_the_picks_are_steered_for_a_while(home: Home) -> None:
    play(home, "Artist 0/song 0.wav")
    home.daemon.until(lambda: home.daemon.status().library.embedded == 8)

    page = post(home, "/mood", like="current", length="10songs")

    steering = home.daemon.status().steering
    assert [wish.text for wish in steering.wishes] == ["like song 0"]
    assert steering.songs_left == 10
    assert "For 10 more songs." in page.text
    assert "Choose something to hear first" in post(home, "/mood", length="1h").text
    assert post(home, "/mood", want="no such sound").status_code in {400, 409}
    assert "Until you end it." in post(home, "/mood", like="current").text
    assert "Picks follow your taste alone." in post(home, "/mood", off="1").text
    assert not home.daemon.status().HasField("steering")


def test_the_cover_has_several_sizes_and_is_sent_once(home: Home) -> None:
    play(home, "Artist 1/song 1.wav")
    track_id = home.daemon.status().playback.track.track_id
    with home.visitor() as visitor:
        drawn = visitor.get(f"/covers/{track_id}")
        assert drawn.headers["content-type"] == "image/svg+xml"

        cover = pictures.picture(pictures.GREEN, width=400, height=400)
        (home.mpd.music / "Artist 1" / "cover.png").write_bytes(cover)
        large, small = (visitor.get(f"/covers/{track_id}?size={size}") for size in (600, 150))
        again = visitor.get(
            f"/covers/{track_id}?size=150", headers={"if-none-match": small.headers["etag"]}
        )

    assert {large.headers["content-type"], small.headers["content-type"]} == {"image/jpeg"}
    assert pictures.is_colour(small.content, pictures.GREEN)
    assert len(small.content) < len(large.content)
    assert large.headers["etag"] != small.headers["etag"]
    assert (again.status_code, again.content) == (304, b"")
