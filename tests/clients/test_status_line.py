"""The line of `--format`: only named fields, and no markup from tags."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anagnorisis.status_line import ESCAPES, FIELDS, InvalidFormat, StatusLine
from anagnorisis.v1 import daemon_pb2, track_pb2

PLAYING = daemon_pb2.GetStatusResponse(
    playback=daemon_pb2.Playback(
        state=daemon_pb2.PLAYBACK_STATE_PLAYING,
        uri="a.ogg",
        elapsed_seconds=61,
        duration_seconds=200,
        track=track_pb2.Track(
            artist="Some & <Body>", title="A\x1b[31m long title", rating=8, predicted_rating=6.25
        ),
    ),
    upcoming_picks=[track_pb2.Track(artist="Next", title="One")],
    picking_enabled=True,
)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("{state}: {artist} {{x}}", "playing: Some & <Body> {x}"),
        ("{title:.6}|{rating:>4}|{predicted}|{score}", "A?[31m|   8|6.2|8"),
        ("{elapsed}/{duration} {next} {ahead} {picking}", "1:01/3:20 Next - One 1 on"),
        ("{album}{genre}", ""),
        ("", ""),
    ],
)
def test_fields(pattern: str, line: str) -> None:
    assert StatusLine(pattern).show(PLAYING) == line


def test_what_is_shown_of_a_song_without_rating_and_of_one_outside_the_library() -> None:
    answer = daemon_pb2.GetStatusResponse()
    answer.CopyFrom(PLAYING)
    answer.playback.track.ClearField("rating")
    assert StatusLine("{rating}{score}").show(answer) == "~6.2"

    answer.playback.ClearField("track")
    answer.playback.uri = "radio/a.ogg"
    assert StatusLine("{title} {score}").show(answer) == "a.ogg "


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{titel}", "no field {titel}; fields: state, artist"),
        ("{}", "no field {}"),
        ("{title.__class__}", "no field {title.__class__}"),
        ("{title[0]}", "no field {title[0]}"),
        ("{title!r}", "width and a precision"),
        ("{title:{artist}}", "width and a precision"),
        ("{title:99999}", "width and a precision"),
        ("{title", "malformed"),
        ("title}", "malformed"),
    ],
)
def test_other_formats_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidFormat) as error:
        StatusLine(pattern)
    assert reason in str(error.value)


@given(st.text(alphabet=string.printable + "{}:!.[]<>^", max_size=30))
@example("{rating:.<8}")
@example("{rating:<<8}")
def test_every_format_is_refused_or_shows_one_line(pattern: str) -> None:
    try:
        line = StatusLine(pattern)
    except InvalidFormat:
        return
    assert isinstance(line.show(PLAYING), str)


@pytest.mark.parametrize(
    ("bar", "title", "shown"),
    [
        ("pango", "<b>R&B</b>", "&lt;b&gt;R&amp;B&lt;/b&gt;"),
        ("polybar", "%{A1:reboot:}me%{A}", "%(A1:reboot:)me%(A)"),
        ("polybar", "{A1:reboot:}", "(A1:reboot:)"),
        ("tmux", "#[fg=red]#(reboot)", "##[fg=red]##(reboot)"),
    ],
)
def test_tags_are_no_markup(bar: str, title: str, shown: str) -> None:
    answer = daemon_pb2.GetStatusResponse()
    answer.playback.track.title = title

    assert StatusLine("{title}", bar).show(answer) == shown


def test_every_field_has_a_value_and_every_bar_an_escape() -> None:
    line = StatusLine("".join(f"{{{field}}}" for field in FIELDS))

    assert line.show(daemon_pb2.GetStatusResponse()) == "disconnected0off"
    assert set(ESCAPES) == {"pango", "polybar", "tmux"}
