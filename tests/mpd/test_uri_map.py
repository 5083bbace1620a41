"""How a file is called here and in MPD."""

from pathlib import PurePath

import pytest

from anagnorisisd.domain.track import Uri
from anagnorisisd.mpd.uri_map import UriMap

MUSIC = PurePath("/music")


def test_same_directory() -> None:
    same = UriMap.between(MUSIC, MUSIC)

    assert same.to_mpd(Uri("a/b.ogg")) == "a/b.ogg"
    assert same.to_library("a/b.ogg") == "a/b.ogg"


def test_library_inside_mpds_music_directory() -> None:
    inside = UriMap.between(MUSIC / "rock" / "old", MUSIC)

    assert inside.to_mpd(Uri("a.ogg")) == "rock/old/a.ogg"
    assert inside.to_library("rock/old/a.ogg") == "a.ogg"


def test_mpds_music_directory_inside_the_library() -> None:
    around = UriMap.between(MUSIC, MUSIC / "rock")

    assert around.to_mpd(Uri("rock/a.ogg")) == "a.ogg"
    assert around.to_mpd(Uri("jazz/a.ogg")) is None
    assert around.to_library("a.ogg") == "rock/a.ogg"


def test_unrelated_directories() -> None:
    apart = UriMap.between(MUSIC, PurePath("/elsewhere"))

    assert not apart.related
    assert apart.to_mpd(Uri("a.ogg")) is None


@pytest.mark.parametrize("name", ["jazz/a.ogg", "rocket/a.ogg", "http://radio/rock/a.ogg"])
def test_files_outside_the_library(name: str) -> None:
    inside = UriMap.between(MUSIC / "rock", MUSIC)

    assert "://" in inside.to_library(name)
