"""Parsing steering as words, as messages and the command line write it.

    mood chillout -metal 80s calm like artist:Toto "folder:Live at Home" for 2h
    mood jazz until 23:00

| word | wish |
|---|---|
| `jazz`, `-jazz` | with or without a tag |
| `like` | like the current song |
| `artist:NAME`, `album:NAME`, `folder:PATH` | like an artist or album, or below a folder |
| `80s`, `1980s` | a decade |
| `calm`, `lively` | energy |
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from anagnorisisd.domain.steering import (
    CALM,
    LIVELY,
    DecadeWish,
    EnergyWish,
    FolderWish,
    SeedKind,
    SeedWish,
    TagWish,
    Wish,
)
from anagnorisisd.errors import InvalidValue

LENGTH = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,6})m(?:in)?)?")
TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d)")
SONGS = re.compile(r"(\d{1,4}) ?songs?")
DECADE = re.compile(r"(\d|\d{3})0s")
FIRST_DECADE_OF_LAST_CENTURY = "3"
"""Decades of two digits from this one on are of the 1900s."""

ENERGIES: Mapping[str, Wish] = {"calm": EnergyWish(CALM), "lively": EnergyWish(LIVELY)}


@dataclass(frozen=True, slots=True)
class SteeringWords:
    """Parsed words; `like_current` asks for music like the current song.

    `seconds`, `songs` and `until`, a time of day, say when the steering ends, at most one of them.
    """

    wishes: tuple[Wish, ...]
    like_current: bool = False
    seconds: float | None = None
    songs: int | None = None
    until: time | None = None


def parse(line: str) -> SteeringWords:
    """Parse a line of wishes, which may end with `for` and a length, or `until` and a time.

    Raises:
        InvalidValue: a quotation mark has no partner, or the length or the time is none.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidValue("mood", str(error).lower()) from error
    seconds, songs, until = None, None, None
    at = next((at for at, word in enumerate(words) if word in {"for", "until"}), None)
    if at is not None:
        end = " ".join(words[at + 1 :])
        if words[at] == "for":
            seconds, songs = _length(end)
        else:
            until = _time_of_day(end)
        words = words[:at]
    wishes = tuple(_wish(word) for word in words if word != "like")
    return SteeringWords(wishes, "like" in words, seconds, songs, until)


def _time_of_day(text: str) -> time:
    found = TIME_OF_DAY.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise InvalidValue("until", f"{text!r} is not a time of day such as 23:00")
    return time(int(found[1]), int(found[2]))


def _length(text: str) -> tuple[float | None, int | None]:
    songs = SONGS.fullmatch(text)
    if songs is not None and int(songs[1]):
        return None, int(songs[1])
    found = LENGTH.fullmatch(text)
    seconds = 0.0 if found is None else 3600.0 * int(found[1] or 0) + 60.0 * int(found[2] or 0)
    if not seconds:
        raise InvalidValue("for", f"{text!r} is not a length such as 2h, 30m or 10 songs")
    return seconds, None


def _wish(word: str) -> Wish:
    kind, _, name = word.partition(":")
    if kind == "folder" and name:
        return FolderWish(name.strip("/"))
    if kind in {SeedKind.ARTIST, SeedKind.ALBUM} and name:
        return SeedWish(SeedKind(kind), name)
    if word in ENERGIES:
        return ENERGIES[word]
    decade = DECADE.fullmatch(word)
    if decade is not None:
        return DecadeWish(_year(decade[1]))
    return TagWish(word.removeprefix("-"), unwanted=word.startswith("-"))


def _year(digits: str) -> int:
    """Return the first year of a decade: 1980 for `8`, 2010 for `1`, 1980 for `198`."""
    if len(digits) == len("198"):
        return 10 * int(digits)
    century = 1900 if digits >= FIRST_DECADE_OF_LAST_CENTURY else 2000
    return century + 10 * int(digits)
