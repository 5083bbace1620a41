"""The web page in a real browser: time to the first view, weight, and frames of the map.

A daemon with a generated library, the server of the page, and Debian's Chromium on this computer.
For the map, Chromium's CPU is throttled to a quarter, about that of a phone.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from anagnorisisd.embedding.features.plan import STAMP
from bench import music_files, prefilled_state
from bench.prefilled_state import EMBEDDER, StateContents
from tests.support.daemon import running_daemon
from tests.support.web_page import running_browser, serving

TRACKS, FULL_TRACKS = 10_000, 100_000
RATINGS = 1000
PAGES = ("/", "/library", "/teach", "/taste", "/guide", "/map")
RUNS = 5
THROTTLE = 4
PHONE = {"width": 390, "height": 844}
DRAGS, ZOOMS = 8, 8
MAX_FIRST_VIEW_MS, MAX_WEIGHT_KB = 1000, 200

# Notes of each frame when it began and how long scripts ran in it.
FRAMES = """() => {
  window.frames_ = [];
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => request((time) => {
    const began = performance.now();
    callback(time);
    window.frames_.push([time, performance.now() - began]);
  });
}"""
PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) resolve(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""


def run(full: bool) -> None:
    """Print the tables."""
    tracks = FULL_TRACKS if full else TRACKS
    print(f"# Web page, {tracks:,} tracks\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        music = folder / "music"
        music_files.write_tree(music, tracks)
        contents = StateContents(
            tracks, music, vectors=True, predictions=True, ratings=RATINGS, stamp=STAMP
        )
        prefilled_state.fill(folder / "home" / "state", contents)
        with (
            running_daemon(folder / "home", music, folder / "no-mpd", EMBEDDER) as daemon,
            serving(folder / "web", daemon.socket) as url,
            running_browser() as browser,
        ):
            daemon.until(lambda: not daemon.status().training.running)
            assert daemon.status().library.embedded == tracks
            _print_views(browser, url)
            _print_map(browser, url)


def _print_views(browser: Browser, url: str) -> None:
    print("| page | first paint, median ms | loaded, median ms | received, kB | requests |")
    print("|---|---|---|---|---|")
    for path in PAGES:
        runs = [_view(browser, url + path) for _ in range(RUNS)]
        paint, loaded = (statistics.median(each[part] for each in runs) for part in (0, 1))
        _, _, received, requests = runs[-1]
        print(f"| {path} | {paint:.0f} | {loaded:.0f} | {received / 1000:.0f} | {requests:.0f} |")
    print(
        f"\nTargets: the first view within {MAX_FIRST_VIEW_MS} ms; {MAX_WEIGHT_KB} kB without the "
        "map, whose data has 7 bytes a track. Nothing is in the browser's cache.\n"
    )


def _view(browser: Browser, url: str) -> tuple[float, float, float, float]:
    """Open a page; return first paint and load, in ms, the bytes received, and the requests."""
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    received = _count_bytes(page)
    page.goto(url, wait_until="load")
    if url.endswith("/map"):
        page.locator("#map[data-dots]").wait_for()
    paint = page.evaluate(PAINT)
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    page.close()
    return paint, loaded, sum(received), len(received)


def _count_bytes(page: Page) -> list[float]:
    sizes: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda done: sizes.append(done["encodedDataLength"]))
    return sizes


def _print_map(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport=PHONE, device_scale_factor=2)  # type: ignore[arg-type]
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    page.add_init_script(f"({FRAMES})()")
    began = time.perf_counter()
    page.goto(f"{url}/map")
    page.locator("#map[data-dots]").wait_for()
    print(f"Map with the CPU throttled {THROTTLE} times: all dots known after ", end="")
    print(f"{time.perf_counter() - began:.1f} s.\n")
    print("| gesture | frames | between frames, median ms | p95 | scripts, median ms | p95 |")
    print("|---|---|---|---|---|---|")
    box: Any = page.locator("#dots").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for name, gesture in (("move", _drag), ("zoom", _zoom)):
        page.wait_for_timeout(1000)
        page.evaluate("window.frames_.length = 0")
        gesture(page, middle)
        frames = json.loads(page.evaluate("JSON.stringify(window.frames_)"))
        moments = sorted({time for time, _ in frames})
        gaps = [after - before for before, after in pairwise(moments)]
        work = [duration for _, duration in frames]
        print(
            f"| {name} | {len(moments)} | {statistics.median(gaps):.1f} | {_p95(gaps):.1f} "
            f"| {statistics.median(work):.1f} | {_p95(work):.1f} |"
        )
    print()
    page.close()


def _drag(page: Page, middle: tuple[float, float]) -> None:
    x, y = middle
    for turn in range(DRAGS):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + (80 if turn % 2 else -80), y + 60 - 30 * (turn % 4), steps=30)
        page.mouse.up()


def _zoom(page: Page, middle: tuple[float, float]) -> None:
    page.mouse.move(*middle)
    for turn in range(ZOOMS):
        for _ in range(20):
            page.mouse.wheel(0, 60 if turn % 2 else -60)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
