"""Command `anagnorisis-rate`, for a key binding: rates the current song, or asks for more like it.

It asks MPD for the current song before it imports grpc, and names this song in the request: another
song may play by the time the daemon receives it.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from anagnorisis import mpd
from anagnorisis.connection import add_options, connected, is_remote
from anagnorisis.desktop import notify
from anagnorisis.errors import USAGE, Failed, one_line
from anagnorisis.parser import Formatter, Parser
from anagnorisis.process import exit_fast, open_standard_files
from anagnorisis.rating_value import Value

if TYPE_CHECKING:
    import grpc

    from anagnorisis.requests import Answer
    from anagnorisis.v1.track_pb2 import Target

SOURCE = "key"
SKIP_AND_LOWER = "skip-and-lower"
MORE_LIKE_THIS = "more-like-this"
MOOD_OFF = "mood-off"
SKIP_ALBUM = "skip-album"
MORE_SONGS = 10
STEERING_TIMEOUT_SECONDS = 60.0
"""In a large library, comparing all tracks with the song takes a while."""

STEPS = {"up": "+1", "down": "-1", SKIP_AND_LOWER: "-1"}


def main(words: Sequence[str] | None = None) -> int:
    """Run the action, show the result, and return the exit code."""
    song = _current_song()
    open_standard_files()
    arguments = parser().parse_args(words)
    try:
        action = _selected_action(arguments)
        if action is not None:
            with connected(arguments) as channel:
                if action == SKIP_ALBUM:
                    _skip_album(channel)
                    return 0
                if action in {MORE_LIKE_THIS, MOOD_OFF}:
                    _steer(channel, action, _song_for_daemon(song, arguments))
                    return 0
                answer = _act(channel, action, _song_for_daemon(song, arguments))
                _show(answer)
            if action == SKIP_AND_LOWER:
                _skip(song, answer.change.track.uri)
    except Failed as failure:
        print(f"anagnorisis-rate: {one_line(str(failure))}", file=sys.stderr)
        notify("Anagnorisis", str(failure))
        return failure.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "anagnorisis-rate",
        description="Rate the current song, or steer the picks by it, from a key binding.",
        formatter_class=Formatter,
    )
    result.add_argument(
        "action",
        nargs="?",
        type=_action,
        metavar="ACTION",
        help=f"0 to 10, +N or -N, up, down, clear, undo, {SKIP_AND_LOWER}, "
        f"{MORE_LIKE_THIS} (for {MORE_SONGS} songs), {MOOD_OFF}, or {SKIP_ALBUM}",
    )
    result.add_argument("--menu", action="store_true", help="choose in a menu of the desktop")
    add_options(result)
    return result


def _action(word: str) -> str:
    if word not in {"clear", "undo", MORE_LIKE_THIS, MOOD_OFF, SKIP_ALBUM, *STEPS}:
        Value.parse(word)
    return word


def _current_song() -> mpd.Song | None:
    """Return the current song of MPD; `None` without one, in which case the daemon asks its MPD."""
    try:
        with mpd.open_connection() as player:
            return player.current()
    except (OSError, ValueError):  # Not reachable, or the address is invalid.
        return None


def _selected_action(arguments: argparse.Namespace) -> str | None:
    if arguments.menu:
        from anagnorisis.desktop import choose

        return choose(_action)
    if arguments.action is None:
        raise Failed("say what to do, 0 to 10 for example, or use --menu", USAGE)
    return str(arguments.action)


def _act(channel: "grpc.Channel", action: str, song: mpd.Song | None) -> "Answer":
    from anagnorisis import requests

    if action == "undo":
        return requests.undo(channel, SOURCE)
    if action == "clear":
        return requests.clear(channel, _target(song), SOURCE)
    return requests.rate(channel, _target(song), Value.parse(STEPS.get(action, action)), SOURCE)


def _steer(channel: "grpc.Channel", action: str, song: mpd.Song | None) -> None:
    """Steer the picks to music like the song for a while, or end the steering."""
    from anagnorisis import text
    from anagnorisis.v1.pick_pb2 import SetSteeringRequest, Wish
    from anagnorisis.v1.pick_pb2_grpc import PickServiceStub

    request = SetSteeringRequest()
    if action == MORE_LIKE_THIS:
        request.wishes.append(Wish(like_track=_target(song)))
        request.songs = MORE_SONGS
    answer = PickServiceStub(channel).SetSteering(request, timeout=STEERING_TIMEOUT_SECONDS)
    mood = text.steering_text(answer.steering) if answer.HasField("steering") else "off"
    print(f"mood: {mood}")
    notify("Mood", mood)


def _skip_album(channel: "grpc.Channel") -> None:
    from anagnorisis.connection import SECONDS_TO_ANSWER
    from anagnorisis.v1.pick_pb2 import SkipAlbumRequest
    from anagnorisis.v1.pick_pb2_grpc import PickServiceStub

    PickServiceStub(channel).SkipAlbum(SkipAlbumRequest(), timeout=SECONDS_TO_ANSWER)
    print("skipped the album")
    notify("Anagnorisis", "skipped the album")


def _target(song: mpd.Song | None) -> "Target":
    from anagnorisis.v1.track_pb2 import CurrentSong, Target

    if song is None:
        return Target(current=CurrentSong())
    return Target(mpd_uri=song.uri, mpd_address=str(song.mpd))


def _show(answer: "Answer") -> None:
    from anagnorisis import text

    track, change = text.name(answer.change.track), text.changed(answer.change)
    print(f"{track}: {change}")
    notify(change, track)


def _song_for_daemon(song: mpd.Song | None, arguments: argparse.Namespace) -> mpd.Song | None:
    """Return the song, or `None` if the daemon cannot compare MPD's address with its own.

    A remote daemon would take a local address for one on its own machine.
    """
    return None if song and song.mpd.is_here and is_remote(arguments) else song


def _skip(song: mpd.Song | None, rated: str) -> None:
    if song and not (song.uri.endswith(rated) or rated.endswith(song.uri)):
        raise Failed(f"rated, but not skipped, since MPD at {song.mpd} is not that of the daemon")
    try:
        with mpd.open_connection() as player:
            if player.current() == song:  # Otherwise another song already plays.
                player.skip()
    except (OSError, ValueError) as error:
        raise Failed(f"rated, but not skipped, since MPD cannot be reached: {error}") from error


def run() -> NoReturn:
    """Run the command `anagnorisis-rate` and exit."""
    exit_fast(main())


if __name__ == "__main__":
    run()
