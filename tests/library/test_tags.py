"""Tags as they are found in the wild."""

# mypy: disable-error-code="no-untyped-call"

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TCON, TDRC, TIT2, TPE1, TPE2
from mutagen.mp4 import MP4

from anagnorisisd.domain.track import Tags
from anagnorisisd.library.audio_hash import Kind, identify
from anagnorisisd.library.tags import MAX_TAG_CHARACTERS, read_tags
from tests.support.media import (
    FORMATS,
    READ_ONLY,
    copy_sample,
    encoded,
    retag,
    write_song,
)

DURATIONS = {"tone.ape": 3.55, "tone.wma": 3.55, "version-7.mpc": 1.0, "version-8.mpc": 4.0}


def tags_of(path: Path) -> Tags:
    with path.open("rb") as file:
        return read_tags(file, identify(file)[0])[0]


@pytest.mark.parametrize("extension", FORMATS)
def test_tags_of_each_writable_format(extension: str, tmp_path: Path) -> None:
    song = write_song(tmp_path / f"song.{extension}", seconds=1)
    retag(song, "Täglich ☂")

    found = tags_of(song)

    year = None if extension in {"aac", "mp3"} and found.year is None else 1999
    assert found == Tags("Täglich ☂", "The Artist", "The Album", year=year)
    assert found.year == 1999


@pytest.mark.parametrize("name", READ_ONLY)
def test_tags_of_each_sample_file(name: str, tmp_path: Path) -> None:
    song = copy_sample(name, tmp_path)
    retag(song, "Täglich ☂", cover=True)

    with song.open("rb") as file:
        tags, duration_seconds = read_tags(file, identify(file)[0])

    assert (tags.title, tags.artist, tags.year) == ("Täglich ☂", "The Artist", 1999)
    assert duration_seconds == pytest.approx(DURATIONS[name], abs=0.1)


@pytest.mark.parametrize("extension", FORMATS)
def test_duration_of_each_format(extension: str) -> None:
    file = io.BytesIO(encoded(extension, seconds=2))
    kind, _ = identify(file)

    duration_seconds = read_tags(file, kind)[1]

    assert duration_seconds == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("extension", FORMATS)
def test_file_without_tags(extension: str) -> None:
    file = io.BytesIO(encoded(extension))
    kind, _ = identify(file)

    assert read_tags(file, kind)[0] == Tags()


def test_multiple_values_are_joined_and_cleaned(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac")
    opened = FLAC(song)
    opened["artist"] = ["Ann ", "Bob\0", "", "\0"]
    opened["album artist"] = "Various"
    opened["genre"] = ["  ", ""]
    opened["title"] = "x" * 5000
    opened.save()

    found = tags_of(song)

    assert found.artist == "Ann; Bob"
    assert found.album_artist == "Various"
    assert found.genre is None
    assert found.title == "x" * MAX_TAG_CHARACTERS


@pytest.mark.parametrize(
    ("date", "year"),
    [("1999", 1999), ("1999-05-01", 1999), ("01/05/1999", 1999), ("0000", None), ("May", None)],
)
def test_year_from_a_date(date: str, year: int | None, tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac")
    opened = FLAC(song)
    opened["date"] = date
    opened.save()

    assert tags_of(song).year == year


def test_id3_genre_numbers_become_names(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    tags = ID3()
    for frame in (
        TIT2(text=["One", "Two"]), TPE1(text=["Ann"]), TPE2(text=["Band"]), TCON(text=["(17)"]),
        TDRC(text=["2001"]),
    ):  # fmt: skip
        tags.add(frame)
    tags.save(song)

    assert tags_of(song) == Tags("One; Two", "Ann", None, "Band", "Rock", 2001)


def test_mp4_album_artist_and_genre(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.m4a")
    opened = MP4(song)
    opened.update({"aART": ["Band"], "\xa9gen": ["Jazz"]})
    opened.save()

    assert tags_of(song) == Tags(album_artist="Band", genre="Jazz")


def test_ape_tag_of_an_aac_file(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.aac")
    tags = APEv2()
    tags["Title"] = "From the end"
    tags.save(song)

    assert tags_of(song).title == "From the end"


@given(st.sampled_from(list(Kind)), st.binary(max_size=3000), st.sampled_from(FORMATS))
def test_damaged_tags_do_not_raise(kind: Kind, data: bytes, extension: str) -> None:
    head = SMALL[extension]

    tags, _ = read_tags(io.BytesIO(head[:300] + data + head[300:]), kind)

    assert isinstance(tags, Tags)


SMALL = {extension: encoded(extension, seconds=0.1) for extension in FORMATS}
