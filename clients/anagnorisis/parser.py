"""Command line parser: the commands, their arguments and their help.

Each command names its function as `module:function` in `anagnorisis.commands`. Only the module of
the chosen command is imported, to keep the start fast.
"""

import argparse
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from anagnorisis.connection import add_options
from anagnorisis.errors import USAGE, one_line
from anagnorisis.rating_value import (
    MAX_INT32,
    MAX_INT64,
    MAX_UINT64,
    Value,
    utf8,
    whole,
)

DESCRIPTION = "Rate the current song, and show and steer what Anagnorisis picks."
EPILOG = (
    "Without a command it shows the current song, its rating and the next picks. A URI is a path "
    "relative to the music directory, as in MPD, or a track id; the default is the current song. "
    "Exit codes: 0 success, 1 failure, 2 usage error, 69 daemon or MPD not reachable."
)
STATES = ("rated", "unrated", "pending", "failed", "missing")
UNWANTED_TAG = re.compile(r"-[^\W\d]\w")
QUEUE = "add them to the end of the queue; does not start playback"
ORDERS = ("added", "rating", "predicted_rating", "last_played")


class Formatter(argparse.HelpFormatter):
    """Help formatter that does not import `shutil` to get the terminal width.

    argparse creates a formatter for every argument, even if no help is shown. Importing `shutil`
    took an eighth of the time of a rating, without the import of grpc.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size().columns
    except (ValueError, OSError):
        return 80


class Parser(argparse.ArgumentParser):
    """Parser with one-line errors that suggest the closest choice.

    With `unwanted_tags`, a word such as `-jazz` is the positional argument `not:jazz`.
    """

    unwanted_tags = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the words; argparse would take `-jazz` for options."""
        if self.unwanted_tags:
            args = [f"not:{word[1:]}" if UNWANTED_TAG.match(word) else word for word in args]
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with `USAGE`."""
        text = one_line(_without_choices(message))
        more = "" if text.endswith("?") else f"; see {self.prog} --help"
        self.exit(USAGE, f"{self.prog}: {text}{more}\n")


def _without_choices(message: str) -> str:
    """Replace the list of choices in an `invalid choice` message by the closest one."""
    found = re.match(r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)$", message)
    if found is None:
        return message
    import difflib

    name, typed, choices = found[1].lower(), found[2], found[3].replace("'", "").split(", ")
    nearest = difflib.get_close_matches(typed[1:-1], choices, 1)
    return f"there is no {name} {typed if len(typed) <= 60 else typed[:57] + '...'}" + "".join(
        f"; did you mean {it}?" for it in nearest
    )


class Commands:
    """Adds commands with the common options to a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._common = Parser(add_help=False, formatter_class=Formatter)
        add_options(self._common)
        _add_json(self._common)
        self._commands = parser.add_subparsers(
            title="commands", metavar="COMMAND", prog=parser.prog, parser_class=Parser
        )

    def add(self, name: str, run: str, summary: str) -> Parser:
        """Add the command `name`, whose function is `run`, and return its parser."""
        command = self._commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:],
            parents=[self._common],
            formatter_class=Formatter,
        )
        command.set_defaults(run=run)
        return command


def build(first: str = "") -> argparse.ArgumentParser:
    """Return the parser of the command line.

    `first` is the first argument. If it is a command, only the commands of its group are added: the
    others took a tenth of the time of a rating.
    """
    from anagnorisis import VERSION

    parser = Parser(
        "anagnorisis", description=DESCRIPTION, epilog=EPILOG, formatter_class=Formatter
    )
    parser.set_defaults(run="status:playing", json=False)
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    add_options(parser)
    _add_json(parser)
    commands = Commands(parser)
    wanted = [add for names, add in GROUPS.items() if first in names]
    for add in wanted or GROUPS.values():
        add(commands)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print JSON",
    )


def _add_ratings(commands: Commands) -> None:
    rate = commands.add("rate", "rating:rate", "rate a track from 0 to 10")
    rate.add_argument("value", type=Value.parse, metavar="VALUE", help="8, 7.5, +1 or -0.5")
    _add_uri(rate)
    _add_uri(commands.add("clear", "rating:clear", "clear a track's rating"))
    commands.add("undo", "rating:undo", "undo the last rating change")
    history = commands.add("ratings", "rating:history", "list the rating history, newest first")
    _add_uri(history, "only of this track")
    _add_limit(history)
    _add_limit(commands.add("plays", "rating:plays", "list plays and skips, newest first"))


def _add_tracks(commands: Commands) -> None:
    tracks = commands.add("tracks", "library:tracks", "list tracks")
    tracks.add_argument(
        "text",
        nargs="?",
        type=utf8,
        default="",
        metavar="TEXT",
        help="only tracks with this text in title, artist, album or path",
    )
    tracks.add_argument("--state", choices=STATES, help="only tracks in this state")
    tracks.add_argument("--order", choices=ORDERS, default="added", help="default: %(default)s")
    tracks.add_argument(
        "--tag", type=utf8, default="", metavar="TAG", help="only with this tag, such as jazz"
    )
    _add_limit(tracks)
    tags = commands.add("tags", "library:tags", "list the tags that the network gave to tracks")
    tags.add_argument("--of", type=utf8, metavar="URI", help="those of this track")
    tags.add_argument(
        "--names", action="store_true", help="only the names of tags that some tracks have"
    )
    unusable = commands.add(
        "unusable", "library:unusable", "list the files that cannot be read as music"
    )
    _add_limit(unusable)
    similar = commands.add("similar", "library:similar", "list the tracks that sound most like one")
    _add_uri(similar)
    _add_limit(similar, 10)
    similar.add_argument("--queue", action="store_true", help=QUEUE)
    _add_uri(commands.add("embedding", "library:embedding", "show a track's embedding"))
    commands.add("scan", "library:scan", "rescan the music directory")
    embed = commands.add("embed", "embed:embed", "show the progress and failures of embedding")
    embed.add_argument("--retry", action="store_true", help="retry failed tracks")
    _add_limit(embed, 20, "maximum number of failures")


def _add_picks(commands: Commands) -> None:
    picks = commands.add("picks", "picks:picks", "show the next picks, or switch picking on or off")
    picks.add_argument("switch", nargs="?", choices=("on", "off"), help="switch picking")
    picks.add_argument(
        "-n",
        type=whole(1, MAX_INT32),
        default=0,
        metavar="N",
        dest="count",
        help="number of picks",
    )
    picks.add_argument(
        "--seed",
        type=whole(0, MAX_UINT64),
        metavar="N",
        help="seed of the random number generator",
    )
    _add_uri(commands.add("why", "picks:why", "explain a track's probability of being picked"))
    _add_mood(commands)
    skip = commands.add("skip", "picks:skip", "skip the rest of the current picked album")
    skip.add_argument("what", choices=("album",), help="with `picks.unit: album`")
    journey = commands.add(
        "journey", "picks:journey", "list tracks that lead from one to another in even steps"
    )
    journey.add_argument("start", type=utf8, metavar="FROM", help="the first track: a URI")
    journey.add_argument("end", type=utf8, metavar="TO", help="the last track: a URI")
    _add_limit(journey, 12, "number of tracks")
    journey.add_argument("--queue", action="store_true", help=QUEUE)
    suggest = commands.add(
        "suggest",
        "picks:suggest",
        "list the unrated tracks whose ratings would improve predictions most",
    )
    _add_limit(suggest, 10)
    suggest.add_argument(
        "--queue",
        action="store_true",
        help=QUEUE,
    )


def _add_mood(commands: Commands) -> None:
    mood = commands.add("mood", "mood:mood", "show or set what to hear now")
    mood.unwanted_tags = True
    mood.add_argument(
        "wishes",
        nargs="*",
        type=utf8,
        metavar="WISH",
        help="a tag such as jazz, an unwanted one as -jazz, 80s, calm, lively, `like` for the "
        "current song, like:URI, artist:NAME, album:NAME, folder:PATH, or off",
    )
    mood.add_argument(
        "--strength",
        type=float,
        metavar="S",
        help="how strictly picks keep to the wishes, 0 to 1 (default: 1)",
    )
    mood.add_argument(
        "--for",
        dest="length",
        metavar="LENGTH",
        help="until this has passed: 2h, 30m, 1h30m, or a number of songs as 10songs",
    )
    mood.add_argument("--until", metavar="TIME", help="until this time of day, for example 23:00")


def _add_evaluators(commands: Commands) -> None:
    commands.add("train", "evaluator:train", "train a new evaluator now")
    evaluators = commands.add("evaluators", "evaluator:evaluators", "list the trained evaluators")
    _add_limit(evaluators)
    rollback = commands.add("rollback", "evaluator:rollback", "make an earlier evaluator current")
    rollback.add_argument(
        "version",
        nargs="?",
        type=whole(1, MAX_INT32),
        default=0,
        metavar="VERSION",
        help="default: the previous one",
    )


def _add_daemon(commands: Commands) -> None:
    status = commands.add("status", "status:status", "show the daemon's status")
    _add_format(status, "print only this line about the current song, for example")
    watch = commands.add("watch", "watching:watch", "stream events")
    _add_format(watch, "instead of events, print this line whenever it changes, for example")
    after = whole(0, MAX_INT64)
    watch.add_argument("--after", type=after, metavar="SEQUENCE", help="resume after this event")
    watch.add_argument(
        "--epoch", type=utf8, default="", metavar="EPOCH", help="epoch of that event"
    )
    report = commands.add(
        "report", "report:report", "generate a report on ratings, evaluator and library"
    )
    report.add_argument(
        "file",
        nargs="?",
        default="anagnorisis-report.html",
        metavar="FILE",
        help="an HTML file, or - for standard output (default: %(default)s)",
    )
    backup = commands.add("backup", "backup:backup", "back up the database to a file")
    backup.add_argument("file", metavar="FILE", help="replaced when the backup is complete")


def _add_transfer(commands: Commands) -> None:
    export = commands.add("export", "transfer:export", "write ratings and plays to a file")
    export.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help=".jsonl or .csv; default: JSON Lines"
    )
    import_ = commands.add("import", "transfer:import_entries", "import ratings and plays")
    import_.add_argument(
        "origin",
        metavar="FROM",
        help="a .jsonl or .csv file, the project.db of Anagnorisis, `tags` or `stickers`",
    )
    import_.add_argument("--dry-run", action="store_true", help="only show what would be imported")


def _add_shell(commands: Commands) -> None:
    completion = commands.add("completion", "shell:completion", "print completions for a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")
    commands.add("manual", "shell:manual", "print the manual page, for `man -l -`")


def _add_format(command: argparse.ArgumentParser, summary: str) -> None:
    command.add_argument(
        "--format",
        type=utf8,
        metavar="FORMAT",
        help=f"{summary} '{{artist}} - {{title:.30}} {{score}}'; an unknown field lists all",
    )
    command.add_argument(
        "--escape",
        choices=("pango", "polybar", "tmux"),
        default="",
        help="escape the values in it for this markup (pango: waybar, i3blocks)",
    )


def _add_uri(command: argparse.ArgumentParser, summary: str = "default: the current song") -> None:
    command.add_argument("uri", nargs="?", type=utf8, metavar="URI", help=summary)


def _add_limit(
    command: argparse.ArgumentParser, default: int = 50, summary: str = "maximum number of entries"
) -> None:
    command.add_argument(
        "-n",
        type=whole(1, MAX_INT32),
        default=default,
        metavar="N",
        dest="limit",
        help=f"{summary} (default: %(default)s)",
    )


GROUPS: Mapping[tuple[str, ...], Callable[[Commands], None]] = {
    ("rate", "clear", "undo", "ratings", "plays"): _add_ratings,
    ("tracks", "tags", "unusable", "similar", "embedding", "scan", "embed"): _add_tracks,
    ("picks", "why", "mood", "skip", "journey", "suggest"): _add_picks,
    ("train", "evaluators", "rollback"): _add_evaluators,
    ("status", "watch", "report", "backup"): _add_daemon,
    ("export", "import"): _add_transfer,
    ("completion", "manual"): _add_shell,
}
