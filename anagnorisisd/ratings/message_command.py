"""Parsing the commands that MPD clients send as messages (`mpc sendmessage`).

rate 8 | rate 8 Artist/Song.ogg | rate +1 [URI] | clear [URI] | undo | picking on|off
mood chillout -metal for 2h | mood off | mood | skip album
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anagnorisisd.domain import steering_words
from anagnorisisd.domain.steering_words import SteeringWords
from anagnorisisd.errors import InvalidValue

USAGE = (
    "rate 8 [URI], rate +1 [URI], clear [URI], undo, picking on, picking off, mood TAG, mood off, "
    "skip album"
)


@dataclass(frozen=True, slots=True)
class Rate:
    """Rate the named file, or the one that plays."""

    value: float
    name: str | None


@dataclass(frozen=True, slots=True)
class Adjust:
    """Add `delta` to the rating of the named file, or of the one that plays."""

    delta: float
    name: str | None


@dataclass(frozen=True, slots=True)
class Clear:
    """Clear the rating of the named file, or of the one that plays."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo the last change of a rating."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Switch picking on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class Mood:
    """Steer the picks by `words`; `None` asks what applies, no wishes end it."""

    words: SteeringWords | None


@dataclass(frozen=True, slots=True)
class SkipAlbum:
    """Skip the rest of the current picked album."""


Command = Rate | Adjust | Clear | Undo | Switch | Mood | SkipAlbum

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


def parse(line: str) -> Command:
    """Parse a command. The name of a file, as MPD has it, extends to the end of the line.

    Raises:
        InvalidValue: the line is not a command.
    """
    verb, _, arguments = line.strip().partition(" ")
    parse_arguments = _PARSERS.get(verb.lower())
    if parse_arguments is None:
        raise InvalidValue("command", f"{line.strip()!r} is unknown; try {USAGE}")
    return parse_arguments(arguments.strip())


def _parse_rate(arguments: str) -> Command:
    number, _, name = arguments.partition(" ")
    if not NUMBER.fullmatch(number):
        raise InvalidValue("rate", f"{number!r} is not a number; try rate 8, rate +1 or rate 8 URI")
    command = Adjust if number[0] in "+-" else Rate
    return command(float(number), name.strip() or None)


def _parse_clear(arguments: str) -> Command:
    return Clear(arguments or None)


def _parse_undo(arguments: str) -> Command:
    if arguments:
        raise InvalidValue("undo", f"takes no arguments, but {arguments!r} was given")
    return Undo()


def _parse_picking(arguments: str) -> Command:
    if arguments.lower() not in {"on", "off"}:
        raise InvalidValue("picking", f"{arguments!r} is neither on nor off")
    return Switch(arguments.lower() == "on")


def _parse_mood(arguments: str) -> Command:
    if not arguments:
        return Mood(None)
    return Mood(steering_words.parse("" if arguments.lower() == "off" else arguments))


def _parse_skip(arguments: str) -> Command:
    if arguments.lower() != "album":
        raise InvalidValue("skip", f"{arguments!r} is not album; MPD itself skips songs")
    return SkipAlbum()


_PARSERS: Mapping[str, Callable[[str], Command]] = {
    "rate": _parse_rate,
    "clear": _parse_clear,
    "undo": _parse_undo,
    "picking": _parse_picking,
    "mood": _parse_mood,
    "skip": _parse_skip,
}
