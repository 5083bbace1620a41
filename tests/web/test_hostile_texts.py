"""Whatever tags, file names and messages hold, it is shown as text: no page runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.hostile_daemon import HOSTILE, hostile_daemon
from tests.support.web_page import serving

PATHS = [
    "/",
    "/library",
    "/library?show=unusable",
    "/library/sounds",
    "/tracks/1",
    "/taste",
    "/taste/ratings",
    "/taste/rollback/1",
    "/teach",
    "/nowhere",
]
WITHOUT_TEXTS = {"/taste/rollback/1", "/nowhere"}
SIGN = "onerror="
"""A part of the hostile text that is shown as it is."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page in front of a daemon with hostile answers."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with hostile_daemon(folder / "socket"), serving(folder / "web", folder / "socket") as served:
        yield served


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which nothing may go wrong."""
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            problems.append(message.text)

    opened = browser.new_page()
    opened.on("console", note)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    yield opened
    opened.close()
    assert not [problem for problem in problems if "404" not in problem]


def assert_nothing_ran(page: Page) -> None:
    assert page.title() != "ran"
    for foreign in ("script:not([src])", "img[src='x']", "[onload], [onerror]"):
        assert page.locator(foreign).count() == 0


@pytest.mark.parametrize("path", PATHS)
def test_no_text_of_the_daemon_is_run(url: str, page: Page, path: str) -> None:
    page.goto(url + path)
    if path not in WITHOUT_TEXTS:
        expect(page.locator("main")).to_contain_text(SIGN)
    assert_nothing_ran(page)


def test_no_text_is_run_that_comes_after_a_form_was_sent(url: str, page: Page) -> None:
    page.goto(url)
    page.get_by_role("button", name="Rate 8 of 10").first.click()
    expect(page.get_by_role("status")).to_contain_text(SIGN)
    assert_nothing_ran(page)
    page.goto(f"{url}/library?q={HOSTILE[:-20]}")
    assert_nothing_ran(page)
