"""How a file is called here and in MPD."""

from pathlib import PurePath

import pytest

from anagnorisisd.domain.track import Uri
from anagnorisisd.mpd.uri_map import UriMap

MUSIC = PurePath("/music")


def test_the_same_folder_has_the_same_names() -> None:
    same = UriMap.between(MUSIC, MUSIC)

    assert same.to_mpd(Uri("a/b.ogg")) == "a/b.ogg"
    assert same.to_library("a/b.ogg") == "a/b.ogg"


def test_a_library_inside_mpds_tree_gets_a_prefix() -> None:
    inside = UriMap.between(MUSIC / "rock" / "old", MUSIC)

    assert inside.to_mpd(Uri("a.ogg")) == "rock/old/a.ogg"
    assert inside.to_library("rock/old/a.ogg") == "a.ogg"


def test_mpds_tree_inside_the_library_loses_one() -> None:
    around = UriMap.between(MUSIC, MUSIC / "rock")

    assert around.to_mpd(Uri("rock/a.ogg")) == "a.ogg"
    assert around.to_mpd(Uri("jazz/a.ogg")) is None
    assert around.to_library("a.ogg") == "rock/a.ogg"


def test_folders_apart_share_nothing() -> None:
    apart = UriMap.between(MUSIC, PurePath("/elsewhere"))

    assert not apart.related
    assert apart.to_mpd(Uri("a.ogg")) is None


@pytest.mark.parametrize("name", ["jazz/a.ogg", "rocket/a.ogg", "http://radio/rock/a.ogg"])
def test_what_lies_outside_the_library_gets_a_name_that_no_file_has(name: str) -> None:
    inside = UriMap.between(MUSIC / "rock", MUSIC)

    assert "://" in inside.to_library(name)
