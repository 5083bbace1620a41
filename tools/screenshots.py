"""Takes the pictures of the web page for README and docs: `python -m tools.screenshots [FOLDER]`.

A daemon, a silent MPD and the page run on the demo library, with ratings by genre, in a directory
of their own. It needs what the tests of the page need: Chromium and Playwright.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from tools.console import guarded, say
from tools.demo import library

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
LIKING = {"Ambient": 8, "Techno": 3, "Chiptune": 5, "Folk": 7}
SPREAD = 1.0
"""Standard deviation of the ratings of a genre."""
RATED = 28
SETTINGS = "picks:\n  fill_empty_queue: true\n"
COLOURS = 128
SCALE = 1.5
PHONE, DESKTOP = (390, 844), (1000, 800)
SHOTS = (
    ("web-now", "/", "dark", PHONE),
    ("web-library", "/library", "light", PHONE),
    ("web-map", "/map", "dark", DESKTOP),
    ("web-taste", "/taste", "light", DESKTOP),
)


def main() -> None:
    """Write the pictures."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    from tests.support.web_page import running_browser

    with (
        tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as folder,
        _running(Path(folder)) as url,
        running_browser() as browser,
    ):
        for name, path, scheme, size in SHOTS:
            picture = _picture(browser, url + path, scheme, size)
            (target / f"{name}.png").write_bytes(picture)
            say(f"{name}.png: {len(picture) // 1000} kB")


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    """Run the page on a demo library that was listened to; yield its URL."""
    from tests.support.daemon import running_daemon
    from tests.support.mpd import running
    from tests.support.web_page import serving

    count = library.make(folder / "music")
    with (
        running(folder, []) as mpd,
        running_daemon(folder / "daemon", mpd.music, mpd.socket, SETTINGS) as daemon,
        serving(folder / "web", daemon.socket) as url,
    ):
        daemon.until(lambda: daemon.status().library.embedded == count, 600)
        _listen(daemon)
        daemon.until(lambda: daemon.status().upcoming_picks)
        mpd.mpc("play")
        daemon.until(lambda: daemon.status().playback.HasField("track"))
        mpd.mpc("seek", "40%")
        yield url


def _listen(daemon: Any) -> None:
    """Rate most of the tracks by their genre, and train."""
    from anagnorisis.v1.evaluator_pb2 import GetEvaluationRequest, TrainEvaluatorRequest
    from anagnorisis.v1.library_pb2 import ListTracksRequest
    from anagnorisis.v1.rating_pb2 import RateTrackRequest
    from anagnorisis.v1.track_pb2 import Target

    rng = random.Random(0)
    tracks = daemon.library.ListTracks(ListTracksRequest()).tracks
    for track in sorted(tracks, key=lambda each: str(each.track_id))[:RATED]:
        liked = rng.gauss(LIKING[track.genre], SPREAD)
        rating = min(10.0, max(0.0, round(2 * liked) / 2))
        target = Target(track_id=track.track_id)
        daemon.rating.RateTrack(RateTrackRequest(target=target, rating=rating, source="web"))
    list(daemon.evaluator.TrainEvaluator(TrainEvaluatorRequest()))
    daemon.evaluator.GetEvaluation(GetEvaluationRequest())


def _picture(browser: Any, url: str, scheme: str, size: tuple[int, int]) -> bytes:
    """Return a page as a PNG file of few colours."""
    from PIL import Image

    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        device_scale_factor=SCALE,
        reduced_motion="reduce",
    )
    page.goto(url)
    if url.endswith("/map"):
        page.locator("#map[data-dots]").wait_for()
        page.locator("#dots").focus()
        page.keyboard.press("ArrowRight")
        page.locator("#nearest li").first.wait_for()
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        page.locator("#message").evaluate("(element) => { element.textContent = '' }")
    if url.endswith("/taste"):
        page.locator('[data-block="evaluation"] figure').first.wait_for()
    page.wait_for_timeout(1000)  # covers are loaded when they come into view
    taken = BytesIO(page.screenshot())
    page.close()
    small = BytesIO()
    Image.open(taken).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    guarded(main)
