"""MPD addresses, as they are written and as mpc looks for them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anagnorisis.mpd_address import Address, candidates, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/mpd/socket", Address("/run/mpd/socket")),
        ("@mpd", Address("@mpd")),
        ("music", Address("music", 6600)),
        ("music:6601", Address("music", 6601)),
        (":6601", Address("localhost", 6601)),
        ("192.0.2.1:6601", Address("192.0.2.1", 6601)),
        ("[2001:db8::1]:6601", Address("2001:db8::1", 6601)),
        ("[2001:db8::1]", Address("2001:db8::1", 6600)),
        ("2001:db8::1", Address("2001:db8::1", 6600)),
        ("secret@music", Address("music", 6600, "secret")),
        ("secret@/run/mpd/socket", Address("/run/mpd/socket", 6600, "secret")),
        ("secret@@mpd", Address("@mpd", 6600, "secret")),
        ("music:port", Address("music", 6600)),
        ("music:0", Address("music", 6600)),
        ("music:65536", Address("music", 6600)),
        ("p@ss@music:6601", Address("music", 6601, "p@ss")),
        ("p@ss@[::1]:6601", Address("::1", 6601, "p@ss")),
        ("p@ss@/run/mpd/socket", Address("/run/mpd/socket", 6600, "p@ss")),
        ("secret@/run/user@home/socket", Address("/run/user@home/socket", 6600, "secret")),
        ("/run/user@home/socket", Address("/run/user@home/socket")),
    ],
)
def test_parse(text: str, address: Address) -> None:
    assert parse(text) == address


HOSTS = st.sampled_from(["music", "192.0.2.1", "[2001:db8::1]", "/run/mpd/socket", "@mpd"])
PASSWORDS = st.text(st.characters(exclude_characters="@/~", exclude_categories=["Cs"]), min_size=1)


@given(HOSTS, PASSWORDS, st.integers(1, 65_535))
def test_passwords_as_mpc_reads_them(host: str, password: str, port: int) -> None:
    address = parse(f"{password}@{host}", port)

    assert address == parse(host, port)._replace(password=password)
    assert parse(str(address), 1)._replace(port=port, password=password) == address


@example("~\0", "")
@example("[]:6601", "")
@given(st.text(), st.text(max_size=8))
def test_any_text_has_a_host_and_a_port(text: str, port: str) -> None:
    for address in candidates(text, {"MPD_PORT": port}):
        assert 0 < address.port < 65_536
        assert address.host


def test_passwords_are_not_shown() -> None:
    address = parse("secret@music")

    assert "secret" not in f"{address} {address!r}"
    assert str(address) == "music:6600"
    assert str(parse("[::1]:7")) == "[::1]:7"


def test_configuration_before_environment() -> None:
    environment = {"MPD_HOST": "elsewhere", "MPD_PORT": "6601"}

    assert candidates("/socket", environment) == [Address("/socket", 6601)]


def test_environment_variables() -> None:
    found = candidates(None, {"MPD_HOST": "secret@music", "MPD_PORT": "6601"})

    assert found == [Address("music", 6601, "secret")]
    assert candidates(None, {"MPD_PORT": "6601"}) == [Address("localhost", 6601)]


def test_default_addresses() -> None:
    found = candidates(None, {"XDG_RUNTIME_DIR": "/run/user/7"})

    assert [str(address) for address in found] == [
        "/run/user/7/mpd/socket",
        "/run/mpd/socket",
        "localhost:6600",
    ]
