"""What holds for every page that a link leads to: accessibility, layout, keyboard, console.

Each page is opened once, and then shown dark and light, as narrow as a phone and as wide as a
desktop. Pages are found by following links, one page for each route.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page
from starlette.routing import Match, Route

from anagnorisis.v1.library_pb2 import ListTracksRequest
from anagnorisis.v1.rating_pb2 import RateTrackRequest
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web import app
from tests.support import mpd as mpd_server
from tests.support.daemon import running_daemon
from tests.support.web_page import Home, serving

AXE = Path(__file__).parents[2] / "clients" / "node" / "node_modules" / "axe-core" / "axe.min.js"
CHECKS = Path(__file__).with_name("page_checks.js")
SONGS = [
    *(f"Artist {number % 3}/song {number}.wav" for number in range(10)),
    "<img src=x onerror=alert(1)>/<b>bold &amp; 'quoted\".wav",
]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (320, 1440)
SERIOUS = ("serious", "critical")
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Finding(NamedTuple):
    """Something that is wrong with a page; `kind` is the rule."""

    kind: str
    page: str
    look: str
    problem: str


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which every page has something to show."""
    folder = tmp_path_factory.mktemp("every-page")
    settings = "embedding:\n  embedder: features\ntraining:\n  learn_after_seconds: 0\n"
    mpd_server.write_songs(folder / "music", SONGS, seconds=3.0)
    with (
        mpd_server.running(folder, []) as mpd,
        running_daemon(folder / "daemon", folder / "music", mpd.socket, settings) as daemon,
        serving(folder / "web", daemon.socket) as url,
    ):
        daemon.until(lambda: daemon.status().library.embedded == len(SONGS))
        tracks = daemon.library.ListTracks(ListTracksRequest()).tracks
        for number, track in enumerate(tracks[1:]):
            target = Target(track_id=track.track_id)
            daemon.rating.RateTrack(RateTrackRequest(target=target, rating=number % 11))
        daemon.until(lambda: daemon.status().HasField("evaluator"))
        mpd.mpc("add", SONGS[0])
        mpd.mpc("play")
        mpd.mpc("pause")
        daemon.until(lambda: daemon.status().playback.uri)
        yield Home(mpd, daemon, url)


class _Links(HTMLParser):
    """Collects the addresses of links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += (value for name, value in attrs if name == "href" and value)


def route_of(path: str) -> str:
    """Return the path of the route that serves a page."""
    anything: Any = None
    settings = app.Settings((), "x" * 32)
    scope = {"type": "http", "path": path, "method": "GET", "headers": []}
    for route in app.build(anything, settings).routes:
        if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
            return route.path
    return path


def pages(home: Home) -> list[str]:
    """Return one path for each page that links lead to from the first."""
    with home.visitor() as visitor:
        found, waiting = {"/": "/"}, ["/"]
        while waiting:
            here = waiting.pop(0)
            for link in _Links(visitor.get(here).text).found:
                parts = urlsplit(urljoin(here, link))
                route = route_of(parts.path)
                if not parts.netloc and route not in found:
                    found[route] = parts.path
                    waiting.append(parts.path)
    return list(found.values())


@pytest.fixture(scope="module")
def findings(home: Home, browser: Browser) -> list[Finding]:
    """What is wrong with any page."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; python -m tools.node_packages installs it")
    return [found for path in pages(home) for found in examine(browser, home.url, path)]


def examine(browser: Browser, url: str, path: str) -> list[Finding]:
    """Return what is wrong with a page."""
    found: list[Finding] = []

    def note(kind: str, problem: str, look: str = "") -> None:
        found.append(Finding(kind, path, look, problem))

    def note_error(said: ConsoleMessage) -> None:
        if said.type == "error":
            note("console", said.text)

    def note_dialog(dialog: Dialog) -> None:
        note("console", f"a dialog: {dialog.message}")
        dialog.dismiss()

    page = browser.new_page(color_scheme="light", reduced_motion="reduce")
    page.add_init_script(path=AXE)
    page.add_init_script(path=CHECKS)
    page.on("console", note_error)
    page.on("pageerror", lambda error: note("console", str(error)))
    page.on("dialog", note_dialog)
    page.goto(url + path, wait_until="load")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            whole = scheme == SCHEMES[0]
            if whole or width == WIDTHS[-1]:
                for problem in axe(page, whole=whole):
                    note("axe", problem, f"{scheme} {width}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            note("layout", f"{wide} px are wider than the window", str(width))
        for target in page.evaluate("pageChecks.smallTargets()"):
            note("target", target, str(width))
    if moving := page.evaluate("document.getAnimations().length"):
        note("motion", f"{moving} animations")
    for _ in range(page.evaluate("pageChecks.watchFocus()") + 3):
        page.keyboard.press("Tab")
    for control in page.evaluate("pageChecks.notReached()"):
        note("keyboard", control)
    for control in page.evaluate("pageChecks.withoutVisibleFocus()"):
        note("focus", control)
    page.close()
    return found


def axe(page: Page, *, whole: bool) -> list[str]:
    """Return the serious findings of axe-core; only those about contrast unless `whole`."""
    options = {
        "runOnly": STANDARDS if whole else ["color-contrast"],
        "rules": {"target-size": {"enabled": whole}},
        "resultTypes": ["violations"],
    }
    result = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}"
        for rule in result["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def test_the_links_lead_to_the_pages(home: Home) -> None:
    assert {"/", "/library", "/map", "/taste", "/teach", "/guide"} <= set(pages(home))


@pytest.mark.parametrize(
    "kind", ["axe", "console", "layout", "target", "motion", "keyboard", "focus"]
)
def test_no_page_breaks_the_rule(findings: list[Finding], kind: str) -> None:
    broken = [
        f"{each.page} ({each.look}): {each.problem}" for each in findings if each.kind == kind
    ]
    assert not broken, "\n".join(broken)
