"""The page Now, in a browser and without one."""

from playwright.sync_api import Browser, expect

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
