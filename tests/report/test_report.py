"""The report, from a real database to the page."""

import asyncio
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import EvaluatorStatus, TagPreference
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import Tags
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.extras import install_command
from anagnorisisd.report import figures, page
from anagnorisisd.report.data import ReportData
from anagnorisisd.report.service import ReportService, draw
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.models import worker_tasks
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from tests.fakes.clock import FakeClock
from tests.support.examples import described, training_set, two_kinds
from tests.support.library import play, scanned, track_id

pytestmark = pytest.mark.slow

STAMP = EmbedderStamp("test", "1", 6)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")


async def draw_inline(data: ReportData) -> str:
    return page.draw(data)


class Outside(HTMLParser):
    """Collects whatever a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "iframe", "object", "embed", "base"}:
            self.found.append(tag)
        for name, value in attrs:
            inside = value is None or value.startswith(("#", "data:"))
            if name in {"src", "href", "xlink:href", "action"} and not inside:
                self.found.append(f"{tag} {name}={value}")
            if name.startswith("on"):
                self.found.append(f"{tag} {name}")


def reporting(
    stores: Stores,
    clock: FakeClock,
    draw: Callable[[ReportData], Awaitable[str]] = draw_inline,
) -> ReportService:
    return ReportService(
        library=stores.library,
        ratings=stores.ratings,
        plays=stores.plays,
        embeddings=stores.embeddings,
        evaluators=stores.evaluators,
        queue=stores.queue,
        draw=draw,
        clock=clock,
        stamp=STAMP,
    )


@pytest.fixture
async def lively(stores: Stores, clock: FakeClock) -> Stores:
    """A library of forty tracks, rated, trained, played, and with a pick ahead."""
    artists = ["Björk & Sons", "<script>alert(1)</script>"]
    files = [
        scanned(f"{row}.ogg", tags=Tags(artist=artists[row % 2], title=f"Song {row}"))
        for row in range(40)
    ]
    await stores.library.store_files(files, clock.now())
    tracks = [track_id(f"{row}.ogg") for row in range(40)]
    vectors, ratings = two_kinds(40)
    await stores.embeddings.put(STAMP, dict(zip(tracks, vectors, strict=True)))
    for track, rating in zip(tracks[:28], ratings[:28], strict=True):
        clock.jump(3600)
        await stores.ratings.rate(track, float(rating), at=clock.now(), source="test")
    examples = await stores.embeddings.training_set(STAMP)
    model = worker_tasks.train(examples, seed=0)
    version = await stores.evaluators.add(
        model,
        STAMP,
        rating_count=28,
        status=EvaluatorStatus.CURRENT,
        promotion_reason="first",
        at=clock.now(),
    )
    async for batch in stores.embeddings.track_features(STAMP):
        mean, stddev = worker_tasks.predict(model.blob, batch)
        await stores.evaluators.put_predictions(version.version, batch.track_ids, mean, stddev)
    await stores.evaluators.put_tag_preferences(
        version.version, [TagPreference("jazz", 1.5, 2.0, 9), TagPreference("metal", -0.5, -1.0, 6)]
    )
    await stores.plays.append(play(tracks[3], PlayOutcome.SKIP))
    await stores.queue.add_entry(SongId(7), tracks[5], clock.now())
    return stores


async def test_the_page_shows_everything_and_needs_nothing_from_outside(
    lively: Stores, clock: FakeClock
) -> None:
    html = await reporting(lively, clock).html()

    for title in (
        "Ratings over time",
        "Held-out tracks",
        "Learning",
        "Calibration",
        "The library by sound",
        "Most liked artists",
        "Picks in the queue",
        "Played last",
    ):
        assert title in html
    assert "Björk &amp; Sons" in html
    assert "skipped" in html
    assert "Plays and skips: not used" in html
    assert "Your taste: likes jazz; dislikes metal." in html
    outside = Outside()
    outside.feed(html)
    assert outside.found == []
    assert not re.search(r"url\((?!#)", html)
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        ET.fromstring(svg)


@pytest.mark.parametrize("predicted", [0, 1, 3, 40])
def test_each_dot_of_the_map_has_the_name_and_rating_of_its_track(predicted: int) -> None:
    vectors, _ = two_kinds(40)
    tags = [Tags(title=f"Song {row}", artist="<A> & \x07B") for row in range(39)]
    library = described(vectors, [*tags, Tags()], [f"folder/{row}.ogg" for row in range(40)])
    means = np.where(np.arange(40) < predicted, 7.25, np.nan)
    rated = training_set(library.take([0]), [8.5])
    data = ReportData(0.0, np.empty(0), np.empty(0), rated, library, means, [], [], [])

    html = page.draw(data)

    (svg,) = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    titles = [title.text for title in ET.fromstring(svg).iter(f"{figures.SVG}title")]
    names = [f"<A> & B – Song {row}" for row in range(39)] + ["39"]
    names[0] += ", rated 8.5"
    names[1:predicted] = [f"{name}, predicted 7.2" for name in names[1:predicted]]
    assert sorted(map(str, titles)) == sorted(names)


async def test_the_same_library_gives_the_same_page(lively: Stores, clock: FakeClock) -> None:
    assert await reporting(lively, clock).html() == await reporting(lively, clock).html()


async def test_a_confined_worker_draws_the_same_page(
    lively: Stores, clock: FakeClock, tmp_path: Path
) -> None:
    readable_paths = ReadablePaths(None, writable=[tmp_path / "cache"])
    pool = WorkerPool(name="report", size=1, idle_seconds=30, readable_paths=readable_paths)
    try:
        html = await reporting(lively, clock, partial(draw, pool, tmp_path / "cache")).html()
    finally:
        await pool.close()

    assert html == await reporting(lively, clock).html()
    assert list((tmp_path / "cache" / "matplotlib").iterdir())


async def test_missing_matplotlib_is_reported_before_any_work(
    lively: Stores, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither installed nor found: as in an environment without the extra `report`.
    monkeypatch.setattr("anagnorisisd.extras.find_spec", lambda name: None)
    service = reporting(lively, clock)
    await lively.close()  # whatever is read from here on fails

    with pytest.raises(PreconditionFailed, match=re.escape(install_command("report"))):
        await service.html()


async def test_an_empty_library_has_a_page_too(stores: Stores, clock: FakeClock) -> None:
    html = await reporting(stores, clock).html()

    assert "no evaluator has been trained yet" in html
    assert "<svg" not in html


async def test_a_browser_shows_it(lively: Stores, clock: FakeClock, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)})")
    (tmp_path / "report.html").write_text(await reporting(lively, clock).html())
    picture = tmp_path / "report.png"

    await asyncio.to_thread(
        subprocess.run,
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1200,2000",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={picture}",
            (tmp_path / "report.html").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )

    with Image.open(picture) as image:
        counted = image.convert("RGB").getcolors(maxcolors=2**24)
    assert counted is not None
    pixels = {colour: count for count, colour in counted}
    assert pixels[ImageColor.getrgb(figures.MAIN_COLOUR)] > 100  # dots and lines
    assert pixels[ImageColor.getrgb("#ffffff")] > pixels[ImageColor.getrgb("#f4f6f9")]  # cards


async def test_a_title_cannot_turn_the_text_around_it(stores: Stores, clock: FakeClock) -> None:
    turning = [chr(code) for code in (0x061C, 0x200E, 0x200F, 0x202A, 0x202E, 0x2066, 0x2069)]
    title = f"photo{''.join(turning)}gpj.exe \N{ZERO WIDTH JOINER}kept"
    files = [scanned("a.ogg", tags=Tags(artist="A", title=title))]
    await stores.library.store_files(files, clock.now())
    await stores.plays.append(play(track_id("a.ogg"), PlayOutcome.SKIP))

    html = await reporting(stores, clock).html()

    assert "photogpj.exe \N{ZERO WIDTH JOINER}kept" in html
    assert not set(turning) & set(html)
