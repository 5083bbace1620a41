"""The guide says everything that there is to say, and its generated pages are fresh."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from anagnorisis.v1 import (
    daemon_pb2,
    evaluator_pb2,
    history_pb2,
    library_pb2,
    pick_pb2,
    playback_pb2,
    rating_pb2,
)
from anagnorisisd.config.settings import Key, dotted, fields
from anagnorisisd.picks import weights
from anagnorisisd.picks.guards import Guard
from tests.support.candidates import worked_example
from tools.docs import links, site
from tools.docs.generated import PAGES, PICTURES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONTRACTS = (
    daemon_pb2, evaluator_pb2, history_pb2, library_pb2, pick_pb2, playback_pb2, rating_pb2
)  # fmt: skip
METHODS = [
    (service.name, method.name)
    for contract in CONTRACTS
    for service in contract.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.mark.parametrize(("path", "page"), PAGES.items(), ids=lambda one: getattr(one, "name", ""))
def test_a_generated_page_is_fresh(path: Path, page: Callable[[], str]) -> None:
    assert path.read_text() == page(), "run `make docs` and commit what it writes"


@pytest.mark.parametrize(
    ("path", "plot"), PICTURES.items(), ids=lambda one: getattr(one, "stem", "")
)
def test_a_plot_is_fresh(path: Path, plot: Callable[[], str]) -> None:
    words, numbers = drawn(path.read_text())
    fresh_words, fresh_numbers = drawn(plot())

    assert words == fresh_words, "run `make docs` and commit what it writes"
    np.testing.assert_allclose(numbers, fresh_numbers, atol=0.01, err_msg="run `make docs`")


def drawn(svg: str) -> tuple[list[str], list[float]]:
    """Return the words of a picture, and its numbers, whose last digits differ by processor."""
    pieces = re.split(r"(-?\d+\.\d+)", svg)
    return pieces[::2], [float(number) for number in pieces[1::2]]


def test_the_worked_example_is_what_the_code_computes() -> None:
    found = weights.weigh(worked_example()).factors
    columns = (found.rating_factor, found.skip_factor, found.recency_factor, found.weight)
    chances = found.weight / found.weight.sum()

    text = (DOCS / "picks.md").read_text()
    rows = re.findall(
        r"^\| [ABC] \|.*\| ([\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+) %", text, re.M
    )

    told = np.array([[float(number) for number in row.split(" | ")] for row in rows])
    np.testing.assert_allclose(told[:, :4], np.array(columns).T, atol=0.00051)
    np.testing.assert_allclose(told[:, 4], 100 * chances, atol=0.051)


@pytest.mark.parametrize("key", [key for key, _ in fields()], ids=dotted)
def test_every_key_of_the_configuration_is_documented(key: Key) -> None:
    section = (DOCS / "configuration.md").read_text().split(f"\n## {key[0]}\n")[1]
    row = re.search(
        rf"^\| `{re.escape(dotted(key[1:]))}` \|.*\|.*\| (.+) \|$", section, re.MULTILINE
    )
    assert row, "not in the table"
    assert row[1].strip(), "nothing is said of it"


@pytest.mark.parametrize("guard", Guard)
def test_every_guard_is_documented_in_its_order(guard: Guard) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "picks.md").read_text(), re.MULTILINE)

    assert rows.index(guard) == list(Guard).index(guard)


@pytest.mark.parametrize(("service", "method"), METHODS)
def test_every_call_is_documented(service: str, method: str) -> None:
    section = (DOCS / "api.md").read_text().split(f"\n## {service}\n")[1].split("\n## ")[0]
    said = section.split(f"\n### {method}\n")[1].split("\n### ")[0]
    signature, meaning, *_ = said.strip().split("\n\n")
    assert f"({method}Request) returns" in signature
    assert meaning.endswith("."), "nothing is said of it"


def test_every_page_has_its_place_in_the_site() -> None:
    def named(entries: list[dict[str, object]]) -> Iterator[str]:
        for entry in entries:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else named(value)  # type: ignore[arg-type]

    nav = list(named(tomllib.loads(site.SETTINGS.read_text())["project"]["nav"]))

    pages = {str(page.relative_to(ROOT)) for page in site.pages()}
    assert pages == set(nav), "put it into `nav` of zensical.toml"
    assert len(nav) == len(set(nav))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<a href="other.html#there">', None),
        ('<a href="https://example.org/">', None),
        ('<img src="data:image/png;base64,AAAA">', None),
        ('<a href="gone.html">', "gone.html: is not there"),
        ('<a href="other.html#gone">', "other.html#gone: has no such anchor"),
        ('<a href="../../etc/passwd">', "../../etc/passwd: is not there"),
        ('<img src="gone.svg">', "gone.svg: is not there"),
        ('<img src="https://a.org/x.svg">', "https://a.org/x.svg: is loaded from elsewhere"),
        ('<script src="//a.org/x.js">', "//a.org/x.js: is loaded from elsewhere"),
        (
            '<link rel="stylesheet" href="https://a.org/x.css">',
            "https://a.org/x.css: is loaded from elsewhere",
        ),
    ],
)
def test_a_link_that_leads_nowhere_is_found(
    tmp_path: Path, body: str, complaint: str | None
) -> None:
    (tmp_path / "page.html").write_text(body)
    (tmp_path / "other.html").write_text('<h1 id="there">')

    assert list(links.problems(tmp_path)) == ([f"page.html: {complaint}"] if complaint else [])
