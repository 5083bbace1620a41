"""The tracks of a cue sheet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.library.cue_sheet import parse
from tests.support.cue_sheets import HEADER, SHEETS, image, track

SHEET = Uri("a/disc.cue")


def ranges(text: str | bytes) -> list[tuple[str, int, int | None]]:
    data = text.encode() if isinstance(text, str) else text
    return [(each.source, each.start_ms, each.end_ms) for each in parse(data, SHEET, "/music")]


def titles(data: bytes) -> list[str | None]:
    return [each.tags.title for each in parse(data, SHEET, "/music")]


def test_an_image_is_divided_where_the_next_track_begins() -> None:
    assert ranges(image("b.flac", "A", "B", "C")) == [
        ("a/b.flac", 0, 4000),
        ("a/b.flac", 4000, 8000),
        ("a/b.flac", 8000, None),
    ]


def test_uris_count_the_tracks_whatever_their_numbers() -> None:
    text = 'FILE "b.flac" WAVE\n' + track(7, "A") + track(9, "B", "01 00:04:00")

    uris = [each.uri for each in parse(text.encode(), SHEET, "/music")]

    assert uris == ["a/disc.cue/track0001", "a/disc.cue/track0002"]


@pytest.mark.parametrize(
    ("indexes", "start_ms"),
    [
        (["01 00:02:00"], 2000),
        (["01 00:02:37"], 2493),
        (["00 00:00:00", "01 00:02:00"], 0),  # a hidden track before the first
        (["01 x:y:z"], 0),
        (["01 1:2"], 0),
        (["01 99999999:0:0"], 0),
    ],
)
def test_begin_of_the_first_track(indexes: list[str], start_ms: int) -> None:
    assert ranges('FILE "b.flac" WAVE\n' + track(1, "A", *indexes)) == [
        ("a/b.flac", start_ms, None)
    ]


def test_pregap_belongs_to_the_track_before() -> None:
    text = 'FILE "b.flac" WAVE\n' + track(1, "A") + track(2, "B", "00 00:03:00", "01 00:04:00")

    assert ranges(text) == [("a/b.flac", 0, 4000), ("a/b.flac", 4000, None)]


def test_tags() -> None:
    one, two = parse((HEADER + image("b.flac", "A", "B")).encode(), SHEET, "/music")
    (unsigned,) = parse(
        (HEADER + "FILE b.flac WAVE\nTRACK 01 AUDIO\nREM DATE 2001-05-04\n").encode(), SHEET, "/m"
    )

    assert one.tags == Tags("A", "Singer", "Album", "Band", "Rock", 1999)
    assert two.tags.title == "B"
    assert unsigned.tags == Tags(None, "Band", "Album", "Band", "Rock", 2001)


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("utf-8", "Größe"), ("cp1252", "Größe – été"),
        ("cp1251", "Песня"), ("utf-8", "歌"),
    ],
)  # fmt: skip
def test_encodings(encoding: str, title: str) -> None:
    assert titles(image("b.flac", title, "Plain").encode(encoding)) == [title, "Plain"]


@pytest.mark.parametrize(
    ("file", "source", "hides"),
    [
        ("b.flac", "a/b.flac", True),
        ("sub/b.flac", "a/sub/b.flac", True),
        ("../b.flac", "b.flac", True),
        ("/music/c/b.flac", "c/b.flac", False),
        ("/elsewhere/b.flac", "/elsewhere/b.flac", False),
        (r"sub\b.flac", r"a/sub\b.flac", True),
    ],
)
def test_files(file: str, source: str, hides: bool) -> None:
    (found,) = parse(image(file, "A").encode(), SHEET, "/music")

    assert (found.source, found.hides_source) == (source, hides)


@pytest.mark.parametrize(
    "uri", ["marked file/a.cue", "utf16/a.cue", "garbage/a.cue", "empty/a.cue", "binary/a.cue"]
)
def test_unusable_sheets(uri: str) -> None:
    text = SHEETS[uri]
    with pytest.raises(MediaError):
        parse(text.encode() if isinstance(text, str) else text, SHEET, "/music")


WORDS = st.sampled_from(
    ["FILE", "TRACK", "INDEX", "TITLE", "REM", "DATE", "AUDIO", "WAVE", "01", "00", "00:04:10",
     "b.flac", '"a b"', '"', "\r", "\n", "\n", "\x00", "é"]
)  # fmt: skip


@given(st.one_of(st.binary(max_size=300), st.lists(WORDS).map(lambda w: " ".join(w).encode())))
def test_any_bytes_give_tracks_or_a_problem(data: bytes) -> None:
    try:
        tracks = parse(data, SHEET, "/music")
    except MediaError:
        return
    assert tracks
    for each in tracks:
        assert each.start_ms >= 0
        assert each.end_ms is None or each.end_ms > each.start_ms


def test_mark_before_the_header_does_not_matter() -> None:
    (one,) = parse(("\ufeff" + HEADER + image("b.flac", "A")).encode(), SHEET, "/music")

    assert (one.tags.album, one.tags.album_artist) == ("Album", "Band")
