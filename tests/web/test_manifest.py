"""The manifest, with which a phone puts the page on its home screen."""

import struct

import httpx
import pytest

from anagnorisis_web.views.manifest import ICONS
from tests.support.web_page import Home

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def manifest(home: Home) -> httpx.Response:
    """The response; nobody is logged in when a browser asks for it."""
    return httpx.get(f"{home.url}/manifest.webmanifest")


def test_the_manifest_starts_the_page_in_a_window_of_its_own(manifest: httpx.Response) -> None:
    assert manifest.headers["content-type"] == "application/manifest+json"
    assert manifest.json()["name"] == "Anagnorisis"
    assert manifest.json()["start_url"] == "/"
    assert manifest.json()["display"] == "standalone"


def test_the_icons_have_the_declared_size(home: Home, manifest: httpx.Response) -> None:
    icons = manifest.json()["icons"]

    assert len(icons) == len(ICONS)
    for icon in icons:
        answer = httpx.get(home.url + icon["src"])
        assert answer.headers["content-type"].split(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            assert answer.content.startswith(PNG)
            width, height = struct.unpack(">II", answer.content[16:24])
            assert icon["sizes"] == f"{width}x{height}"
    assert {(icon["type"], icon["purpose"]) for icon in icons} >= {
        ("image/svg+xml", "any"),
        ("image/png", "any"),
        ("image/png", "maskable"),
    }
