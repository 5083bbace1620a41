"""What other pages, other hosts and guessed passphrases cannot do."""

import httpx
import pytest

from anagnorisis.v1.library_pb2 import ListTracksRequest
from tests.support.web_page import Home, csrf_token


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a@127.0.0.1", "", "["])
def test_another_host_name_is_refused(home: Home, host: str) -> None:
    with home.visitor() as visitor:
        assert visitor.get("/", headers={"host": host}).status_code in {400, 421}


def test_addresses_in_digits_and_usual_names_are_accepted(home: Home) -> None:
    with home.visitor() as visitor:
        for host in ("127.0.0.1:1", "[::1]:1", "localhost", "LOCALHOST:80"):
            assert visitor.get("/", headers={"host": host}).status_code == 200


def post(home: Home, path: str, change: dict[str, str], **headers: str) -> httpx.Response:
    """Send a form as our own page would, but for what is changed."""
    with home.visitor() as visitor:
        form = {"csrf": csrf_token(visitor.get("/"))} | change
        return visitor.post(path, data=form, headers=headers)


def test_forms_of_other_pages_are_refused(home: Home) -> None:
    assert post(home, "/undo", {"csrf": "guessed"}).status_code == 403
    assert post(home, "/undo", {"csrf": ""}).status_code == 403
    assert post(home, "/undo", {}, origin="http://evil.example").status_code == 403
    assert post(home, "/undo", {}, origin="null").status_code == 403


def test_a_token_of_another_session_is_refused(home: Home) -> None:
    with home.visitor() as other:
        token = csrf_token(other.get("/"))
    assert post(home, "/undo", {"csrf": token}).status_code == 403


@pytest.mark.parametrize(
    "back",
    ["//evil.example", "/\\evil.example", "http://evil.example", "x", "/\r\nA: b"],
)
def test_a_form_never_leads_to_another_host(home: Home, back: str) -> None:
    track_id = any_track(home)
    answer = post(home, "/rate", {"track_id": track_id, "rating": "5", "back": back})
    assert str(answer.url.copy_with(query=None)) == f"{home.url}/"


def any_track(home: Home) -> str:
    return home.daemon.library.ListTracks(ListTracksRequest(page_size=1)).tracks[0].track_id


def test_every_response_has_the_security_headers(home: Home) -> None:
    with home.visitor() as visitor:
        cookie = visitor.get("/").headers["set-cookie"].lower()
        for path in ("/", "/nowhere", "/static/site.css"):
            headers = visitor.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
