"""Commands that come as a line of text."""

import contextlib
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.steering import (
    CALM,
    DecadeWish,
    EnergyWish,
    FolderWish,
    SeedKind,
    SeedWish,
    TagWish,
)
from anagnorisisd.domain.steering_words import SteeringWords
from anagnorisisd.errors import InvalidValue
from anagnorisisd.ratings.message_command import (
    Adjust,
    Clear,
    Command,
    Mood,
    Rate,
    SkipAlbum,
    Switch,
    Undo,
    parse,
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("rate 8", Rate(8.0, None)),
        ("  RATE   7.5  ", Rate(7.5, None)),
        (
            'rate 8 Folder/A song, with: "quotes".ogg',
            Rate(8.0, 'Folder/A song, with: "quotes".ogg'),
        ),
        ("rate +1", Adjust(1.0, None)),
        ("rate -0.5 a.ogg", Adjust(-0.5, "a.ogg")),
        ("rate 99", Rate(99.0, None)),  # the range is checked where ratings are
        ("clear", Clear(None)),
        ("clear a b.ogg", Clear("a b.ogg")),
        ("undo", Undo()),
        ("picking on", Switch(True)),
        ("picking Off", Switch(False)),
        ("mood", Mood(None)),
        ("skip album", SkipAlbum()),
        ("mood off", Mood(SteeringWords(()))),
        ("mood like", Mood(SteeringWords((), like_current=True))),
        (
            "mood chillout -metal for 1h30m",
            Mood(SteeringWords((TagWish("chillout"), TagWish("metal", True)), seconds=5400)),
        ),
        (
            'mood 80s 1970s 10s calm "folder:Live at Home/" for 10 songs',
            Mood(
                SteeringWords(
                    (
                        DecadeWish(1980),
                        DecadeWish(1970),
                        DecadeWish(2010),
                        EnergyWish(CALM),
                        FolderWish("Live at Home"),
                    ),
                    songs=10,
                )
            ),
        ),
        ("mood jazz until 7:30", Mood(SteeringWords((TagWish("jazz"),), until=time(7, 30)))),
        (
            'mood artist:Toto album:"Toto IV"',
            Mood(
                SteeringWords(
                    (SeedWish(SeedKind.ARTIST, "Toto"), SeedWish(SeedKind.ALBUM, "Toto IV"))
                )
            ),
        ),
    ],
)
def test_valid_commands(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "''"),
        ("play", "'play'"),
        ("rate", "''"),
        ("rate good", "'good'"),
        ("rate nan", "'nan'"),
        ("rate 1e3", "'1e3'"),
        ("rate ++1", "'++1'"),
        ("rate 8,5", "'8,5'"),
        ("undo a.ogg", "'a.ogg'"),
        ("picking", "''"),
        ("picking maybe", "'maybe'"),
        ("mood jazz for ever", "'ever'"),
        ("mood jazz until 24:00", "'24:00'"),
        ("skip", "''"),
        ("skip song", "'song'"),
        ("mood jazz for", "''"),
        ("mood jazz for 0 songs", "'0 songs'"),
        ('mood "jazz', "quotation"),
    ],
)
def test_invalid_commands_are_named_in_the_error(line: str, named: str) -> None:
    with pytest.raises(InvalidValue, match=r"(?s).*") as caught:
        parse(line)

    assert named in str(caught.value)


@given(st.text())
def test_any_text_raises_only_invalid_value(line: str) -> None:
    with contextlib.suppress(InvalidValue):
        parse(line)
