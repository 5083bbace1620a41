"""The page Taste: training, versions, statistics and the rating history."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from anagnorisis.v1 import evaluator_pb2
from anagnorisis.v1.library_pb2 import ListTracksRequest
from anagnorisis.v1.rating_pb2 import ListRatingsRequest, RateTrackRequest
from anagnorisis.v1.track_pb2 import Target
from tests.support import mpd as mpd_server
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.web_page import Home, csrf_token, serving

SONGS = [f"Artist {number % 3}/song {number:02}.wav" for number in range(16)]
SETTINGS = "embedding:\n  embedder: features\ntraining:\n  learn_after_seconds: 0\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A daemon with enough embedded songs to learn from, none of them rated."""
    folder = tmp_path_factory.mktemp("taste")
    music = folder / "music"
    mpd_server.write_songs(music, SONGS, seconds=2.0)
    with (
        mpd_server.running(folder, []) as mpd,
        running_daemon(folder / "daemon", music, mpd.socket, SETTINGS) as daemon,
        serving(folder / "web", daemon.socket) as url,
    ):
        daemon.until(lambda: daemon.status().library.embedded == len(SONGS))
        yield Home(mpd, daemon, url)


def rate(daemon: RunningDaemon, rating: float, *numbers: int) -> None:
    tracks = daemon.library.ListTracks(ListTracksRequest()).tracks
    chosen = {track.uri: track.track_id for track in tracks}
    for number in numbers:
        target = Target(track_id=chosen[SONGS[number]])
        daemon.rating.RateTrack(RateTrackRequest(target=target, rating=rating, source="test"))


def section(page: httpx.Response, block: str) -> str:
    found = re.search(rf'data-block="{block}".*?</section>', page.text, re.DOTALL)
    assert found, page.text
    return found[0]


def test_before_the_first_training_the_page_says_what_is_missing(home: Home) -> None:
    rate(home.daemon, 8, 0, 1, 2)
    with home.visitor() as visitor:
        page = visitor.get("/taste")
    needed = home.daemon.status().training.examples_needed
    assert f"Rate {needed} more tracks" in section(page, "training")
    assert re.search(r"<button[^>]* disabled>Train now", section(page, "training"))
    assert "nothing has been trained" in section(page, "evaluator")
    assert "3 rated tracks, by rating" in section(page, "statistics")


def test_training_is_started_in_the_browser_and_ends_with_its_outcome(
    home: Home, browser: Browser
) -> None:
    rate(home.daemon, 9, *range(0, 16, 2))
    rate(home.daemon, 2, *range(1, 16, 2))
    page = browser.new_page()
    page.goto(f"{home.url}/taste")
    page.get_by_role("button", name="Train now").click()
    expect(page.get_by_text("A new version was trained")).to_be_visible()
    versions = page.locator('[data-block="versions"]')
    expect(versions.get_by_text("Trained on 16 ratings").first).to_be_visible()
    version = home.daemon.status().evaluator.version
    expect(versions.get_by_text(f"Version {version}, in use")).to_be_visible()
    page.close()


def test_another_version_is_used_after_a_question(home: Home) -> None:
    list(home.daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
    before = home.daemon.status().evaluator.version
    with home.visitor() as visitor:
        offered = re.findall(r"/taste/rollback/(\d+)", section(visitor.get("/taste"), "versions"))
        assert str(before) not in offered
        question = visitor.get(f"/taste/rollback/{offered[0]}")
        assert f"Use version {offered[0]} again?" in question.text
        assert home.daemon.status().evaluator.version == before
        form = {"csrf": csrf_token(question), "version": offered[0]}
        answer = visitor.post("/rollback", data=form)
        assert f"Version {offered[0]} is in use." in answer.text
        assert home.daemon.status().evaluator.version == int(offered[0])
        for nonsense in ("", "x", "-1", "999"):
            assert visitor.post("/rollback", data=form | {"version": nonsense}).status_code == 400


def test_the_history_shows_the_ratings_of_all_clients_and_undoes_the_newest(home: Home) -> None:
    rate(home.daemon, 4.5, 7)
    with home.visitor() as visitor:
        page = visitor.get("/taste/ratings")
        first = section(page, "history").split("<li>")[1]
        assert "song 07" in first
        assert "rated 4.5" in first
        assert "(test)" in first
        form = {"csrf": csrf_token(page), "back": "/taste/ratings"}
        answer = visitor.post("/undo", data=form)
        assert "song 07: 2 (was 4.5)" in answer.text
        newest = home.daemon.rating.ListRatings(ListRatingsRequest(page_size=1)).ratings[0]
        assert newest.value == 2
        assert visitor.get("/taste/ratings?page=nonsense").status_code == 400
