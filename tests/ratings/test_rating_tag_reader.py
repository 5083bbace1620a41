"""Ratings in file tags, in the form of each program that writes them."""

# mypy: disable-error-code="no-untyped-call"

from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen import id3
from mutagen.asf import ASF
from mutagen.flac import FLAC

from anagnorisisd.ratings import rating_tag_reader
from tests.support import media
from tests.support.media import copy_sample, write_song

FRAMES: Any = id3
"""mutagen makes its frames without types."""


def comment(path: Path, name: str, value: str | bytes) -> None:
    """Write one tag into a file."""
    file: Any = mutagen.File(path)
    file[name] = [value]
    file.save()


def add_frames(path: Path, *frames: object) -> None:
    """Write ID3 frames into a file."""
    tags: Any = FRAMES.ID3()
    for frame in frames:
        tags.add(frame)
    tags.save(path)


@pytest.mark.parametrize(
    ("email", "byte", "rating"),
    [
        ("Windows Media Player 9 Series", 1, 2),
        ("Windows Media Player 9 Series", 64, 4),
        ("Windows Media Player 9 Series", 128, 6),
        ("rating@winamp.com", 196, 8),
        ("rating@winamp.com", 255, 10),
        ("no@email", 13, 1),
        ("no@email", 186, 7),
        ("no@email", 242, 9),
        ("quodlibet@lists.sacredchao.net", 128, 5),
        ("quodlibet@lists.sacredchao.net", 1, 0),
        ("somebody@example", 100, 3.9),
        ("somebody@example", 0, None),
    ],
)
def test_popm_by_program(tmp_path: Path, email: str, byte: int, rating: float | None) -> None:
    media.write_song(tmp_path / "x.mp3")
    add_frames(tmp_path / "x.mp3", FRAMES.POPM(email=email, rating=byte, count=1))

    assert rating_tag_reader.read(tmp_path / "x.mp3") == rating


@pytest.mark.parametrize(
    ("name", "value", "rating"),
    [
        ("FMPS_RATING", "0.5", 5),
        ("rating:quodlibet@lists.sacredchao.net", "0.75", 7.5),
        ("RATING", "4", 8),
        ("RATING", "80", 8),
        ("RATING", "101", None),
        ("RATING", "loved", None),
        ("FMPS_RATING", "nan", None),
        ("DURATION", "5", None),
    ],
)
def test_scale_of_vorbis_comments(
    tmp_path: Path, name: str, value: str, rating: float | None
) -> None:
    media.write_song(tmp_path / "x.ogg")
    comment(tmp_path / "x.ogg", name, value)

    assert rating_tag_reader.read(tmp_path / "x.ogg") == rating


def test_fmps_rating_in_id3_and_mp4(tmp_path: Path) -> None:
    media.write_song(tmp_path / "x.mp3")
    add_frames(
        tmp_path / "x.mp3",
        FRAMES.TXXX(desc="FMPS_Rating", text="0.9"),
        FRAMES.POPM(email="no@email", rating=1, count=0),
    )
    media.write_song(tmp_path / "x.m4a")
    comment(tmp_path / "x.m4a", "----:com.apple.iTunes:FMPS_Rating", b"0.3")

    assert rating_tag_reader.read(tmp_path / "x.mp3") == 9
    assert rating_tag_reader.read(tmp_path / "x.m4a") == 3


def test_file_without_music_has_no_rating(tmp_path: Path) -> None:
    (tmp_path / "x.mp3").write_bytes(b"\xff" * 100)

    assert rating_tag_reader.read(tmp_path / "x.mp3") is None
    assert rating_tag_reader.read(tmp_path / "gone.mp3") is None


@pytest.mark.parametrize(
    ("value", "rating"),
    [(0, None), (1, 2), (12, 2), (13, 4), (25, 4), (50, 6), (75, 8), (99, 10), (255, None)],
)
def test_shared_user_rating(value: int, rating: float | None, tmp_path: Path) -> None:
    song = copy_sample("tone.wma", tmp_path)
    tagged = ASF(song)
    tagged["WM/SharedUserRating"] = value
    tagged.save()

    assert rating_tag_reader.read(song) == rating


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("0.8", 8), ("1.0", 10), (".25", 2.5), ("0,8", None), ("0", 0), ("1", 2), ("4", 8),
        ("4.5", 9), ("1.5", 3), ("5", 10), ("80", 8), ("100", 10), ("101", None), ("-1", None),
    ],
)  # fmt: skip
def test_scale_of_a_plain_rating(text: str, rating: float | None, tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac")
    tagged = FLAC(song)
    tagged["RATING"] = text
    tagged.save()

    assert rating_tag_reader.read(song) == rating
