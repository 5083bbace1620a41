"""Commands that come as a line of text through the player.

rate 8 | rate 8 Artist/Song.ogg | rate +1 [URI] | clear [URI] | undo | picking on|off
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anagnorisisd.errors import InvalidValue

USAGE = "rate 8 [URI], rate +1 [URI], clear [URI], undo, picking on, picking off"


@dataclass(frozen=True, slots=True)
class Rate:
    """Rate a file, or what plays."""

    value: float
    name: str | None


@dataclass(frozen=True, slots=True)
class Adjust:
    """Move the rating of a file, or of what plays."""

    delta: float
    name: str | None


@dataclass(frozen=True, slots=True)
class Clear:
    """Take the rating of a file, or of what plays, away."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last change of a rating back."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Switch picking on or off."""

    enabled: bool


Command = Rate | Adjust | Clear | Undo | Switch

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


def parse(line: str) -> Command:
    """Read one line; a file is named as the player names it, the rest of the line long.

    Raises:
        InvalidValue: it is not a command; the text says what is.
    """
    verb, _, rest = line.strip().partition(" ")
    read = _VERBS.get(verb.lower())
    if read is None:
        raise InvalidValue("command", f"{line.strip()!r} is unknown; try {USAGE}")
    return read(rest.strip())


def _rate(text: str) -> Command:
    number, _, name = text.partition(" ")
    if not NUMBER.fullmatch(number):
        raise InvalidValue("rate", f"{number!r} is no number; try rate 8, rate +1 or rate 8 URI")
    relative = number[0] in "+-"
    command = Adjust if relative else Rate
    return command(float(number), name.strip() or None)


def _clear(text: str) -> Command:
    return Clear(text or None)


def _undo(text: str) -> Command:
    if text:
        raise InvalidValue("undo", f"takes nothing, but {text!r} was given")
    return Undo()


def _picking(text: str) -> Command:
    if text.lower() not in {"on", "off"}:
        raise InvalidValue("picking", f"{text!r} is neither on nor off")
    return Switch(text.lower() == "on")


_VERBS: Mapping[str, Callable[[str], Command]] = {
    "rate": _rate,
    "clear": _clear,
    "undo": _undo,
    "picking": _picking,
}
