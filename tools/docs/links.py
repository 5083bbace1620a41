"""Checks a built site: whatever it points to is there, and it loads nothing from elsewhere."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Link(NamedTuple):
    """Where something points to; what is `loaded` is fetched without a click."""

    target: str
    loaded: bool


class Page(HTMLParser):
    """Collects the links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag points to and what can be pointed to."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src"):
            if name in given:
                loaded = tag != "a" and given.get("rel") not in {"canonical", "prev", "next"}
                self.links.append(Link(given[name], loaded))


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with the links of the pages below `site`."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        # A server shows this one under any address, so its links start at the root.
        base = site if path.name == "404.html" else path.parent
        for link in page.links:
            complaint = _complaint(link, path, base, site, pages)
            if complaint:
                yield f"{path.relative_to(site)}: {link.target}: {complaint}"


def _complaint(link: Link, path: Path, base: Path, site: Path, pages: dict[Path, Page]) -> str:
    parts = urlsplit(link.target)
    if parts.scheme or parts.netloc:
        return "is loaded from elsewhere" if link.loaded and parts.scheme != "data" else ""
    target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site.resolve()) or not target.exists():
        return "is not there"
    if parts.fragment and target in pages and parts.fragment not in pages[target].anchors:
        return "has no such anchor"
    return ""
