"""The guide: documents as pages, links between them, pictures, search of headings."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from anagnorisis_web import guide
from anagnorisis_web.guide import Guide
from tests.support.web_page import Home

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def documents() -> Guide:
    """The guide of the clone."""
    return Guide(guide.directory())


def test_the_contents_are_those_of_the_site(documents: Guide) -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    sections = [
        [Path(page).stem for entry in pages for page in entry.values() if page.startswith("docs/")]
        for section in site[1:]
        for pages in section.values()
    ]
    own = [guide.LISTENING, guide.OPERATION, guide.DEVELOPMENT]
    assert sections == [list(names) for names in own]
    assert documents.documents.keys() == {name for names in own for name in names}


def test_every_link_and_picture_exists(documents: Guide) -> None:
    anchors = {
        f"/guide/{name}": {heading.anchor for heading in document.headings}
        for name, document in documents.documents.items()
    }
    links = 0
    for name, document in documents.documents.items():
        for href in re.findall(r'href="([^"]*)"', document.html):
            page, anchor = urldefrag(href)
            if page.startswith("http"):
                continue
            links += 1
            known = anchors[page or f"/guide/{name}"]
            assert not anchor or anchor in known, f"{name}: {href}"
        for source in re.findall(r'<img src="/guide/pictures/([^"]*)"', document.html):
            assert documents.picture(source), f"{name}: {source}"
    assert links > 100


def test_html_in_a_document_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "# Title & <b>more</b>\n\n<!-- not run -->\n\n<script>alert(1)</script>\n\n"
        "text <img src=x onerror=alert(1)> `<code>` [a](javascript:alert(1)) [b](../secret.md)\n"
    )
    html = Guide(tmp_path).documents["page"].html
    assert "not run" not in html
    for tag in ("<script", "<img", "<b>", 'href="javascript', "secret"):
        assert tag not in html
    assert "<code>&lt;code&gt;</code>" in html
    assert "Title &amp; more" in html


def test_headings_of_the_same_name_have_anchors_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# A `b`, c!\n\n## Same\n\n## Same\n\n[x](#same-1)\n")
    document = Guide(tmp_path).documents["page"]
    assert [heading.anchor for heading in document.headings] == ["a-b-c", "same", "same-1"]
    assert '<h2 id="same-1">' in document.html


def test_headings_are_found(documents: Guide) -> None:
    found = {document.name: headings for document, headings in documents.find("FACTOR skip")}
    assert "skip-factor" in {heading.anchor for heading in found["picks"]}
    assert not documents.find("no such heading")


def test_pages_and_pictures_are_served(home: Home) -> None:
    with home.visitor() as visitor:
        assert '<h2 id="skip-factor">Skip factor</h2>' in visitor.get("/guide/picks").text
        assert "/guide/picks#skip-factor" in visitor.get("/guide?q=skip").text
        picture = visitor.get("/guide/pictures/rating-factor.svg")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        for path in ("nothing", "pictures/nothing.svg", "pictures/..%2Fpicks.md", "..%2Fpicks"):
            assert visitor.get(f"/guide/{path}").status_code == 404
