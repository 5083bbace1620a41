"""A page that others can reach: its passphrase, sessions and logout."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from anagnorisis_web import login
from anagnorisis_web.passphrase import Passphrase
from tests.support.daemon import running_daemon
from tests.support.mpd import Mpd
from tests.support.web_page import Home, csrf_token, run_page, serving, set_passphrase

PASSPHRASE = "correct horse"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A page with a passphrase; its MPD is away."""
    folder = tmp_path_factory.mktemp("login")
    music = folder / "music"
    music.mkdir()
    mpd = Mpd(folder / "mpd", music)
    set_passphrase(folder / "web", Passphrase.of(PASSPHRASE))
    with (
        running_daemon(folder / "daemon", music, mpd.socket) as daemon,
        serving(folder / "web", daemon.socket) as url,
    ):
        daemon.until(lambda: daemon.status().version)
        yield Home(mpd, daemon, url)


def log_in(visitor: httpx.Client, passphrase: str = PASSPHRASE) -> httpx.Response:
    form = {"csrf": csrf_token(visitor.get("/login")), "passphrase": passphrase}
    return visitor.post("/login", data=form)


def test_everything_asks_for_the_passphrase(home: Home) -> None:
    with home.visitor() as visitor:
        for path in ("/", "/library", "/covers/1", "/tracks/1", "/loginx", "//", "/static"):
            answer = visitor.get(path)
            assert answer.url.path == "/login", path
        for path in ("/events", "/"):
            headers = {"x-fragment": "song"}
            assert visitor.get(path, headers=headers).status_code == 401
        for path in ("/rate", "/mood", "/player", "/logout"):
            assert visitor.post(path, data={"csrf": "x"}).status_code == 401
        assert visitor.get("/manifest.webmanifest").status_code == 200


def test_login_and_logout(home: Home) -> None:
    with home.visitor() as visitor:
        visitor.get("/login")
        before = dict(visitor.cookies)
        page = log_in(visitor)
        inside = dict(visitor.cookies)
        assert page.url.path == "/"
        assert "Log out" in page.text
        assert page.status_code == 200, page.text
        assert inside != before  # who knew the session before the login does not know it now

        stolen = httpx.Client(base_url=home.url, cookies=inside)
        assert stolen.get("/").status_code == 200
        visitor.post("/logout", data={"csrf": csrf_token(page)})
        assert visitor.get("/").url.path == "/login"
        assert stolen.get("/").status_code == 303
        stolen.close()


def test_only_login_and_logout_change_the_cookie(home: Home) -> None:
    """So that a late answer to another tab cannot bring the old session back."""
    with home.visitor() as visitor:
        log_in(visitor)
        for path in ("/", "/library", "/login", "/nowhere"):
            assert "set-cookie" not in visitor.get(path).headers
        form = {"csrf": csrf_token(visitor.get("/")), "back": "/"}
        assert "set-cookie" not in visitor.post("/mood", data=form).headers


def test_the_events_of_a_session_end_with_it(home: Home) -> None:
    with home.visitor() as visitor, home.visitor() as other:
        page = log_in(visitor)
        log_in(other)
        with (
            visitor.stream("GET", "/events?after=x") as ending,
            other.stream("GET", "/events?after=x") as going_on,
        ):
            visitor.post("/logout", data={"csrf": csrf_token(page)})
            ended = "".join(ending.iter_text())
            assert "logged_out" not in ended
            assert any("logged_out" in text for text in going_on.iter_text())


def test_guessing_is_slowed_down(home: Home, tmp_path: Path) -> None:
    """Also for those who know it by the sixth guess; from another address it is a first guess."""
    set_passphrase(tmp_path / "web", Passphrase.of(PASSPHRASE))
    with serving(tmp_path / "web", home.daemon.socket) as url:
        with httpx.Client(base_url=url, timeout=30) as guesser:
            for _ in range(login.TRIES):
                assert log_in(guesser, "wrong").status_code == 403
            refused = log_in(guesser)
        assert refused.status_code == 429
        assert 200 < int(refused.headers["retry-after"]) <= login.WINDOW_SECONDS + 1
        assert re.search(r"Try again in \d minutes", refused.text)
        from_elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=url, transport=from_elsewhere, timeout=30) as other:
            assert log_in(other).status_code == 303


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.168.1.5", "192.168.1.5"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.168.1.5", "::ffff:192.168.1.5"),
        ("", ""),
    ],
)
def test_guesses_are_counted_by_address_or_ipv6_network(address: str, counted: str) -> None:
    assert login._network(address).replace("c0a8:105", "192.168.1.5") == counted


def test_without_a_passphrase_others_are_not_let_in(tmp_path: Path) -> None:
    for place in ("0.0.0.0:0", "[::]:0", "192.168.1.5:0", "example.org:0"):
        refused = run_page(tmp_path, "--listen", place)
        assert refused.returncode == 2
        assert "--set-passphrase" in refused.stderr


def test_ipv6_and_both_at_once(home: Home, tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this computer has no IPv6")
    set_passphrase(tmp_path, Passphrase.of(PASSPHRASE))
    with serving(tmp_path, home.daemon.socket, ("--listen", "[::]:0")) as url:
        port = url.rpartition(":")[2]
        for host in ("[::1]", "127.0.0.1"):
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as visitor:
                assert log_in(visitor).status_code == 303
