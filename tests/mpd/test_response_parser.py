"""What MPD sends about a song."""

import pytest

from anagnorisisd.mpd import response_parser


@pytest.mark.parametrize(
    ("song", "number"),
    [
        ({"disc": "2", "track": "7"}, (2, 7)),
        ({"track": "07/12"}, (1, 7)),
        ({"track": "7", "album": "Opus (Disc 2)"}, (2, 7)),
        ({"disc": "1", "track": "7", "album": "Opus (Disc 2)"}, (1, 7)),
        ({"track": "A1"}, None),
        ({"disc": "1"}, None),
        ({"track": ["3", "4"]}, None),
        ({}, None),
    ],
)
def test_track_numbers(song: dict[str, str], number: tuple[int, int] | None) -> None:
    assert response_parser.track_number(song) == number


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"file": "a.flac"}, "a.flac"),
        ({"file": "a.flac", "range": "5.000-10.000"}, "a.flac#t=5.000,10.000"),
        ({"file": "a.flac", "range": "5.000-"}, "a.flac#t=5.000,"),
        ({"file": "a.cue/track0002", "range": "5.000-10.000"}, "a.cue/track0002"),
    ],
)
def test_a_part_of_a_file_has_its_range_in_its_name(row: dict[str, str], name: str) -> None:
    assert response_parser.song_name(row) == name
