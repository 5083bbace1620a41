"""`anagnorisis-rate`: what a key of the window manager calls.

It asks MPD for the song before it loads what speaks to the daemon: by the time the daemon is
asked, another song may be playing. The request names the one that was heard.
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
from anagnorisis.process import leave, open_standard_files
from anagnorisis.rating_value import Value

if TYPE_CHECKING:
    import grpc

    from anagnorisis.requests import Answer
    from anagnorisis.v1.track_pb2 import Target

SOURCE = "key"
SKIP_AND_LOWER = "skip-and-lower"
STEPS = {"up": "+1", "down": "-1", SKIP_AND_LOWER: "-1"}


def main(words: Sequence[str] | None = None) -> int:
    """Do what the key means, show it, and return the exit code."""
    heard = _heard()
    open_standard_files()
    arguments = parser().parse_args(words)
    try:
        action = _chosen(arguments)
        if action is not None:
            with connected(arguments) as channel:
                answer = _act(channel, action, _seen_by_daemon(heard, arguments))
                _show(answer)
            if action == SKIP_AND_LOWER:
                _skip(heard, answer.change.track.uri)
    except Failed as failure:
        print(f"anagnorisis-rate: {one_line(str(failure))}", file=sys.stderr)
        notify("Anagnorisis", str(failure))
        return failure.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = Parser(
        "anagnorisis-rate",
        description="Rate the current song, from a key binding.",
        formatter_class=Formatter,
    )
    made.add_argument(
        "action",
        nargs="?",
        type=_action,
        metavar="ACTION",
        help=f"0 to 10, +N or -N, up, down, clear, undo, or {SKIP_AND_LOWER}",
    )
    made.add_argument("--menu", action="store_true", help="choose in a menu of the desktop")
    add_options(made)
    return made


def _action(word: str) -> str:
    if word not in {"clear", "undo", *STEPS}:
        Value.parse(word)
    return word


def _heard() -> mpd.Song | None:
    """Return what the listener's MPD plays; `None` without it, when the daemon has to be asked."""
    try:
        with mpd.opened() as player:
            return player.current()
    except (OSError, ValueError):  # Away, or named in a way that makes no sense.
        return None


def _chosen(arguments: argparse.Namespace) -> str | None:
    if arguments.menu:
        from anagnorisis.desktop import chosen

        return chosen(_action)
    if arguments.action is None:
        raise Failed("say what to do, 0 to 10 for example, or use --menu", USAGE)
    return str(arguments.action)


def _act(channel: "grpc.Channel", action: str, heard: mpd.Song | None) -> "Answer":
    from anagnorisis import requests

    if action == "undo":
        return requests.undo(channel, SOURCE)
    if action == "clear":
        return requests.clear(channel, _target(heard), SOURCE)
    return requests.rate(channel, _target(heard), Value.parse(STEPS.get(action, action)), SOURCE)


def _target(heard: mpd.Song | None) -> "Target":
    from anagnorisis.v1.track_pb2 import CurrentSong, Target

    if heard is None:
        return Target(current=CurrentSong())
    return Target(mpd_uri=heard.uri, mpd_address=str(heard.mpd))


def _show(answer: "Answer") -> None:
    from anagnorisis import text

    track, said = text.name(answer.change.track), text.changed(answer.change)
    print(f"{track}: {said}")
    notify(said, track)


def _seen_by_daemon(heard: mpd.Song | None, arguments: argparse.Namespace) -> mpd.Song | None:
    """Return the song if the daemon can tell whether it is that of its own MPD."""
    return None if heard and heard.mpd.is_here and is_remote(arguments) else heard


def _skip(heard: mpd.Song | None, rated: str) -> None:
    if heard and not (heard.uri.endswith(rated) or rated.endswith(heard.uri)):
        raise Failed(f"rated, but not skipped, since MPD at {heard.mpd} is not that of the daemon")
    try:
        with mpd.opened() as player:
            if player.current() == heard:  # Else the listener or the song's end was quicker.
                player.skip()
    except (OSError, ValueError) as error:
        raise Failed(f"rated, but not skipped, since MPD cannot be reached: {error}") from error


def run() -> NoReturn:
    """Be the program `anagnorisis-rate`."""
    leave(main())


if __name__ == "__main__":
    run()
