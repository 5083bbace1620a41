"""The guide: the project's documents, rendered from Markdown.

They lie in `docs` of a clone; the wheel has a copy of them.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

PACKAGE = Path(__file__).parent
CLONE = PACKAGE.parents[2]
PICTURES = "pictures"
PICTURE_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}

LISTENING = ("picks", "evaluator", "mpd-clients", "philosophy")
OPERATION = (
    "installing",
    "service",
    "web",
    "distributed",
    "scale",
    "configuration",
    "commands",
    "importing",
    "troubleshooting",
    "faults",
    "performance",
    "metrics",
)
DEVELOPMENT = (
    "releasing",
    "first-client",
    "api",
    "architecture",
    "extending",
    "embedders",
    "decisions",
    "glossary",
)


class Heading(NamedTuple):
    """A heading: 1 is the title of the page, and `anchor` its place in the page."""

    level: int
    text: str
    anchor: str


class Document:
    """One document, rendered when it is wanted first."""

    def __init__(self, guide: "Guide", path: Path) -> None:
        self.name = path.stem
        self._guide = guide
        self._path = path

    @property
    def title(self) -> str:
        """Return the heading of the page."""
        return self.headings[0].text

    @cached_property
    def headings(self) -> Sequence[Heading]:
        """Return all headings in their order."""
        return list(_headings(self._tokens))

    @cached_property
    def html(self) -> Markup:
        """Return the document as HTML: nothing in it but what Markdown describes."""
        for heading, token in zip(self.headings, _heading_tokens(self._tokens), strict=True):
            token.attrSet("id", heading.anchor)
        _adapt_links(self._tokens, self._guide)
        rendered = RENDERER.renderer.render(self._tokens, RENDERER.options, {})
        return Markup(rendered)  # noqa: S704 - the renderer escapes text, and leaves out HTML

    @cached_property
    def _tokens(self) -> list[Token]:
        return RENDERER.parse(self._path.read_text("utf-8"))


class Guide:
    """All documents in a directory."""

    def __init__(self, directory: Path) -> None:
        self._pictures = directory / PICTURES
        self.documents = {
            path.stem: Document(self, path) for path in sorted(directory.glob("*.md"))
        }

    def find(self, words: str) -> Sequence[tuple[Document, Sequence[Heading]]]:
        """Return the documents with headings that have all these words, ignoring case."""
        wanted = words.casefold().split()
        found = []
        for document in self.documents.values():
            headings = [
                heading
                for heading in document.headings
                if all(word in heading.text.casefold() for word in wanted)
            ]
            if headings:
                found.append((document, headings))
        return found

    def picture(self, name: str) -> Path | None:
        """Return the file of a picture, if there is one of that name."""
        path = self._pictures / name
        known = path.suffix in PICTURE_TYPES and PurePosixPath(name).name == name
        return path if known and path.is_file() else None


def directory() -> Path:
    """Return where the documents lie."""
    here = CLONE / "clients" / "web" / PACKAGE.name
    return CLONE / "docs" if here == PACKAGE else PACKAGE / "docs"


def _headings(tokens: Sequence[Token]) -> Iterator[Heading]:
    used: dict[str, int] = {}
    for token, content in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = "".join(part.content for part in content.children or () if part.content)
        anchor = _anchor(text)
        number = used[anchor] = used.get(anchor, -1) + 1
        yield Heading(int(token.tag[1]), text, f"{anchor}-{number}" if number else anchor)


def _heading_tokens(tokens: Sequence[Token]) -> Iterator[Token]:
    return (token for token in tokens if token.type == "heading_open")


def _anchor(text: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def _adapt_links(tokens: Sequence[Token], guide: Guide) -> None:
    """Let links and pictures lead to the pages of the guide; what it lacks is no link."""
    for block in tokens:
        known = True
        for token in block.children or ():
            if token.type == "link_open":
                target = _target(str(token.attrs["href"]), guide)
                known = target is not None
                token.attrs["href"] = target or ""
                token.hidden = not known
            elif token.type == "link_close":
                token.hidden = not known
            elif token.type == "image":
                token.attrs["src"] = f"/guide/{token.attrs['src']}"


def _target(href: str, guide: Guide) -> str | None:
    url = urlsplit(href)
    if url.scheme in ("http", "https") or (href.startswith("#") and not url.path):
        return href
    path = PurePosixPath(unquote(url.path))
    if url.scheme or path.suffix != ".md" or path.name != str(path):
        return None
    anchor = f"#{url.fragment}" if url.fragment else ""
    return f"/guide/{path.stem}{anchor}" if path.stem in guide.documents else None


class _Renderer(RendererHTML):
    """Leaves out HTML in the documents, and lets wide parts scroll, by keyboard too."""

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return ""

    html_inline = html_block

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "" if tokens[idx].hidden else self.renderToken(tokens, idx, options, env)

    link_close = link_open

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="wide" tabindex="0">' + self.renderToken(tokens, idx, options, env)

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return self.renderToken(tokens, idx, options, env) + "</div>"

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        found = super().fence(tokens, idx, options, env)
        return found.replace("<pre>", '<pre tabindex="0">', 1)


# With "html", comments are recognised; the renderer leaves them out.
RENDERER = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer).enable("table")
