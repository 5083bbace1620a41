"""The screens of a foreground run, rendered to text."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from anagnorisisd import console
from anagnorisisd.console.messages import weight_factors
from anagnorisisd.console.plain_screen import DownloadProgress, PlainScreen
from anagnorisisd.console.snapshot import ScanState, Snapshot
from anagnorisisd.console.terminal_screen import TerminalScreen, view
from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlaybackState, PlayerLink, PlayerState
from anagnorisisd.domain.track import Prediction, Tags, Track, TrackId, TrackState, Uri

TRACK = Track(
    TrackId("0" * 32),
    Uri("Kilowatt/Grid/03 Fifty Hertz.mp3"),
    Tags(title="Fifty Hertz", artist="Kilowatt"),
    duration_seconds=30.0,
    added_at=0.0,
    state=TrackState.EMBEDDED,
)
WHY = Explanation(
    rating=7.25,
    rating_source="predicted",
    rating_factor=0.525625,
    skip_factor=0.731,
    recency_factor=1.0,
    guards={"artist_spread": 0.5},
    relaxed=[],
    weight=0.19,
    probability=0.0312,
    rank=4,
    candidates=39,
)
PLAYING = PlayerState(0.0, PlaybackState.PLAY, uri=TRACK.uri)
WORKING = Snapshot(
    scan=ScanState(found=120, added=40, finished=False),
    embedding=EmbeddingProgress(pending=90, embedded=10, failed=2, tracks_per_second=2.0),
)
LISTENING = Snapshot(
    scan=ScanState(found=40, added=0, finished=True),
    embedding=EmbeddingProgress(pending=0, embedded=40, failed=0),
    link=PlayerLink(connected=True, address="/run/mpd/socket"),
    player=PLAYING,
    current=TRACK,
    ahead=[(TRACK, WHY)],
    notices=["3 of 10 ratings given that the first training needs"],
)


def rendered(snapshot: Snapshot, width: int = 100) -> str:
    screen = Console(record=True, width=width, file=io.StringIO())
    screen.print(view(snapshot, "anagnorisis"))
    return screen.export_text()


def test_scan_and_embedding_progress() -> None:
    text = rendered(WORKING)

    assert "Scanning: 120 files, 40 new" in text
    assert "Embedding: 10 of 102 tracks, 2 failed, 45 s left" in text
    assert "━" in text


def test_an_empty_library_has_no_embedding_to_show() -> None:
    nothing = Snapshot(embedding=EmbeddingProgress(0, 0, 0))

    assert "Embedding" not in rendered(nothing)


def test_the_playing_track_picks_and_commands() -> None:
    text = rendered(LISTENING)

    assert "✓ Library: 40 files, 0 new" in text
    assert "Playing: Kilowatt – Fifty Hertz (no prediction yet)" in text
    assert "7.2 predicted" in text
    assert "0.53 × 0.73 × 1 × 0.5" in text
    assert "artist spread" in text
    assert "3.1%" in text
    assert "3 of 10 ratings" in text
    assert "anagnorisis rate 8" in text


def test_a_narrow_terminal_keeps_every_line_within_its_width() -> None:
    assert max(map(len, rendered(LISTENING, width=60).splitlines())) <= 60


@pytest.mark.parametrize(
    ("track", "opinion"),
    [
        (replace(TRACK, rating=8.0), "rated 8"),
        (replace(TRACK, rating=7.5, prediction=Prediction(2.0, 1.0)), "rated 7.5"),
        (replace(TRACK, prediction=Prediction(6.27, 1.21)), "predicted 6.3 ± 1.2"),
    ],
)
def test_the_rating_is_shown_else_the_prediction(track: Track, opinion: str) -> None:
    assert f"({opinion})" in rendered(replace(LISTENING, current=track))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"link": PlayerLink(False, "localhost:6600", reason="refused")},
            "MPD: refused; trying again",
        ),
        ({"player": None}, "MPD: connecting"),
        ({"player": replace(PLAYING, uri=None)}, "Nothing is playing"),
        (
            {"player": replace(PLAYING, playback_state=PlaybackState.PAUSE)},
            "Paused: Kilowatt – Fifty Hertz",
        ),
        ({"current": None}, "(not in the library)"),
        ({"sound_tags": ["jazz", "mellow"]}, ", jazz, mellow)"),
    ],
)
def test_a_line_for_each_player_state(changes: dict[str, object], line: str) -> None:
    assert line in rendered(replace(LISTENING, **changes))  # type: ignore[arg-type]


def test_markup_and_control_characters_in_tags_are_escaped() -> None:
    odd = replace(TRACK, tags=Tags(title="[red]a\x1b[2Jb\nc", artist="x"))

    text = rendered(replace(LISTENING, current=odd, ahead=[(odd, WHY)]))

    assert "x – [red]a�[2Jb�c" in text


def test_a_plain_line_is_written_when_it_changes() -> None:
    stream = io.StringIO()
    screen = PlainScreen(stream, "anagnorisis")

    screen.show(WORKING)
    screen.show(LISTENING)
    screen.show(LISTENING)
    screen.show(replace(LISTENING, player=replace(PLAYING, playback_state=PlaybackState.PAUSE)))
    screen.close()

    lines = stream.getvalue().splitlines()
    assert len(lines) == len(set(lines))
    assert lines[-1].startswith("Paused: ")
    assert any(line.startswith("  ahead: Kilowatt – Fifty Hertz (7.2 predicted;") for line in lines)


def test_the_playing_line_is_not_repeated_for_another_order_of_its_tags() -> None:
    stream = io.StringIO()
    screen = PlainScreen(stream, "anagnorisis")

    for tags in (["jazz", "mellow"], ["mellow", "jazz"], ["mellow", "jazz", "folk"]):
        screen.show(replace(LISTENING, sound_tags=tags))

    playing = [line for line in stream.getvalue().splitlines() if line.startswith("Playing")]
    assert [line.partition("yet, ")[2] for line in playing] == [
        "jazz, mellow)",
        "mellow, jazz, folk)",
    ]


def test_the_reason_for_no_picks_is_shown_each_time() -> None:
    stream = io.StringIO()
    screen = PlainScreen(stream, "anagnorisis")
    full = replace(LISTENING, no_picks="the queue is full")

    for snapshot in (LISTENING, full, full, LISTENING, full):
        screen.show(snapshot)

    assert stream.getvalue().count("No picks are added: the queue is full") == 2
    assert stream.getvalue().count("Picks are added again") == 1
    assert "No picks are added: the queue is full" in rendered(full)
    assert "picks are added" not in rendered(LISTENING)


def test_no_plain_line_about_mpd_before_the_first_connection_attempt() -> None:
    stream = io.StringIO()
    screen = PlainScreen(stream, "anagnorisis")
    unconnected = PlayerLink(connected=False, address="/run/mpd/socket")

    screen.show(Snapshot(link=unconnected))
    before = stream.getvalue()
    screen.show(Snapshot(link=replace(unconnected, reason="connection refused")))

    assert before == ""
    assert stream.getvalue() == "MPD: connection refused; trying again\n"


def test_a_long_embedding_has_few_plain_lines() -> None:
    stream = io.StringIO()
    screen = PlainScreen(stream, "anagnorisis")

    for done in range(1001):
        screen.show(Snapshot(embedding=EmbeddingProgress(1000 - done, done, failed=0)))

    assert stream.getvalue().count("Embedding") == 11


def test_the_live_view_restores_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # rich asks whether this can move a cursor
    stream = io.StringIO()
    screen = TerminalScreen(Console(file=stream, force_terminal=True, width=80), "anagnorisis")

    screen.show(LISTENING)
    screen.close()

    assert stream.getvalue().endswith("\x1b[?25h")


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "kind"),
    [
        (Tty(), {"TERM": "xterm"}, TerminalScreen),
        (Tty(), {"TERM": "dumb"}, PlainScreen),
        (Tty(), {"TERM": "unknown"}, PlainScreen),
        (io.StringIO(), {}, PlainScreen),
        (io.StringIO(), {"NOTIFY_SOCKET": "/run/x"}, type(None)),
        (io.StringIO(), {"JOURNAL_STREAM": "1:2"}, type(None)),
    ],
)
def test_the_screen_for_a_stream(
    stream: io.StringIO, variables: dict[str, str], kind: type
) -> None:
    assert isinstance(console.screen_for(stream, variables), kind)


def test_download_progress_on_a_terminal_and_elsewhere() -> None:
    terminal, pipe = Tty(), io.StringIO()
    for stream in (terminal, pipe):
        lines = DownloadProgress(stream)
        for reached in (0, 1_000, 2_000_000, 3_000_000):
            lines("weights.bin", reached, 3_000_000)

    assert pipe.getvalue() == "weights.bin: complete\n"
    assert terminal.getvalue().split("\r\x1b[K")[1:] == [
        "weights.bin: 0 of 3 MB",
        "weights.bin: 2 of 3 MB",
        "weights.bin: complete\n",
    ]


def test_steering_and_flow_are_named_beside_their_factors() -> None:
    why = replace(WHY, steering_factor=0.25, flow_factor=0.5, guards={})

    assert weight_factors(why) == "0.53 × 0.73 × 1 × 0.25 steering × 0.5 flow"
