"""One line about the current song, for status bars: `--format '{title} {rating}'`.

A format has fields by name, with a width and a precision as Python's format strings have them, such
as `{title:.30}`. Nothing else of Python's format strings is allowed, so that a format cannot reach
anything but these texts.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

from anagnorisis import text

if TYPE_CHECKING:
    from anagnorisis.v1.daemon_pb2 import GetStatusResponse
    from anagnorisis.v1.track_pb2 import Track

FIELDS: Mapping[str, str] = {
    "state": "playing, paused, stopped or disconnected",
    "artist": "artist of the current song",
    "title": "its title, or the name of its file",
    "album": "its album",
    "genre": "its genre",
    "rating": "your rating; empty if there is none",
    "predicted": "the predicted rating; empty if there is none",
    "score": "your rating, else ~ and the predicted rating",
    "plays": "how often it was played in full",
    "skips": "how often it was skipped",
    "elapsed": "elapsed time",
    "duration": "its length",
    "next": "artist and title of the next pick",
    "ahead": "number of picks in the queue",
    "picking": "on or off",
}
"""Every field with its meaning."""

STATES = {0: "disconnected", 1: "playing", 2: "paused", 3: "stopped"}
SPEC = re.compile(r"(.?[<>^])?\d{0,3}(\.\d{1,3})?")

ESCAPES: Mapping[str, Callable[[str], str]] = {
    "pango": lambda value: value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "polybar": lambda value: value.replace("{", "(").replace("}", ")"),
    "tmux": lambda value: value.replace("#", "##"),
}
"""How to write a text so that a bar shows it as it is. A song's tags could have markup of the bar,
which in polybar even runs commands."""


class InvalidFormat(ValueError):
    """The format cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A checked format, and how the values in it are escaped."""

    format: str
    escape: str = ""

    def __post_init__(self) -> None:
        """Check the format.

        Raises:
            InvalidFormat: it is malformed or has an unknown field.
        """
        try:
            parts = list(Formatter().parse(self.format))
        except ValueError as error:
            raise InvalidFormat(f"the format is malformed: {error}") from error
        for _, field, spec, conversion in parts:
            if field is None:
                continue
            if field not in FIELDS:
                raise InvalidFormat(f"there is no field {{{field}}}; fields: {', '.join(FIELDS)}")
            if conversion or not SPEC.fullmatch(spec or ""):
                raise InvalidFormat(
                    f"{{{field}}} has a format other than a width and a precision, like :20 or :.30"
                )

    def show(self, answer: "GetStatusResponse") -> str:
        """Return the line; unprintable characters in it are replaced by `?`."""
        escape = ESCAPES.get(self.escape, str)
        values = _values(answer)
        parts = []
        for literal, field, spec, _ in Formatter().parse(self.format):
            parts.append(literal)
            if field is not None:
                # Shortened first: an escaped character must not be cut in two.
                parts.append(escape(format(text.printable(values[field]), spec or "")))
        return "".join(parts)


def _values(answer: "GetStatusResponse") -> dict[str, str]:
    playback, picks = answer.playback, answer.upcoming_picks
    values = dict.fromkeys(FIELDS, "")
    values |= {
        "state": STATES.get(playback.state, ""),
        "next": text.name(picks[0]) if picks else "",
        "ahead": str(len(picks)),
        "picking": "on" if answer.picking_enabled else "off",
    }
    if playback.HasField("elapsed_seconds"):
        values["elapsed"] = text.clock(playback.elapsed_seconds)
    if playback.HasField("duration_seconds"):
        values["duration"] = text.clock(playback.duration_seconds)
    if playback.HasField("track"):
        values |= _track_values(playback.track)
    elif playback.uri:
        values["title"] = playback.uri.rsplit("/", 1)[-1]
    return values


def _track_values(track: "Track") -> dict[str, str]:
    rating = text.number(track.rating) if track.HasField("rating") else ""
    has_prediction = track.HasField("predicted_rating")
    predicted = f"{track.predicted_rating:.1f}" if has_prediction else ""
    return {
        "artist": track.artist,
        "title": track.title,
        "album": track.album,
        "genre": track.genre,
        "rating": rating,
        "predicted": predicted,
        "score": rating or (f"~{predicted}" if predicted else ""),
        "plays": str(track.play_count),
        "skips": str(track.skip_count),
    }
