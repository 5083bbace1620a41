"""Commands that come as a line of text."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.errors import InvalidValue
from anagnorisisd.ratings.message_command import Adjust, Clear, Command, Rate, Switch, Undo, parse


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
