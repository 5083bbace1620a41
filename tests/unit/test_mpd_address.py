"""Where MPD is, as written down and as mpc looks for it."""

import pytest

from anagnorisisd.adapters.mpd.address import Address, candidates, parse


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
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse(text) == address


def test_a_password_is_never_shown() -> None:
    address = parse("secret@music")

    assert "secret" not in f"{address} {address!r}"
    assert str(address) == "music:6600"
    assert str(parse("[::1]:7")) == "[::1]:7"


def test_what_is_configured_comes_before_the_environment() -> None:
    environment = {"MPD_HOST": "elsewhere", "MPD_PORT": "6601"}

    assert candidates("/socket", environment) == [Address("/socket", 6601)]


def test_the_environment_is_that_of_mpc() -> None:
    found = candidates(None, {"MPD_HOST": "secret@music", "MPD_PORT": "6601"})

    assert found == [Address("music", 6601, "secret")]
    assert candidates(None, {"MPD_PORT": "6601"}) == [Address("localhost", 6601)]


def test_without_any_word_the_usual_places_are_tried() -> None:
    found = candidates(None, {"XDG_RUNTIME_DIR": "/run/user/7"})

    assert [str(address) for address in found] == [
        "/run/user/7/mpd/socket",
        "/run/mpd/socket",
        "localhost:6600",
    ]
