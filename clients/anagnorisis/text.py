"""Formatting of messages as text."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from anagnorisis.v1.evaluator_pb2 import TagPreference
from anagnorisis.v1.pick_pb2 import Steering
from anagnorisis.v1.rating_pb2 import RatingChange
from anagnorisis.v1.track_pb2 import Track


def printable(text: str) -> str:
    """Replace unprintable characters by `?`: tags may contain terminal escapes."""
    return "".join(character if character.isprintable() else "?" for character in text)


def name(track: Track) -> str:
    """Return artist and title."""
    parts = (track.artist, track.title)
    return printable(" - ".join(part for part in parts if part))


def number(value: float) -> str:
    """Return a rating with up to two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def rating(track: Track) -> str:
    """Return the rating, else the predicted rating and its standard deviation."""
    if track.HasField("rating"):
        return f"rated {number(track.rating)}"
    if track.HasField("predicted_rating"):
        return f"predicted {track.predicted_rating:.1f} ± {track.predicted_stddev:.1f}"
    return "not rated"


def preferences(tags: Iterable[TagPreference]) -> str:
    """Return liked and disliked sound tags: `likes jazz, ambient; dislikes metal`."""
    names: dict[str, list[str]] = {"likes": [], "dislikes": []}
    for tag in tags:
        verb = "likes" if tag.predicted_difference > 0 else "dislikes"
        names[verb].append(printable(tag.name))
    return "; ".join(f"{verb} {', '.join(each)}" for verb, each in names.items() if each)


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: `jazz, folk and mellow`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def changed(change: RatingChange) -> str:
    """Return the new and the previous rating."""
    if change.plays_only:
        return "its plays went back to the track whose file it replaced"
    now = number(change.rating) if change.HasField("rating") else "no rating"
    before = number(change.previous_rating) if change.HasField("previous_rating") else "none"
    return f"{now} (was {before})"


def clock(seconds: float) -> str:
    """Return a duration as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(moment: Timestamp) -> str:
    """Return a timestamp in local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment.seconds))


def steering_text(steering: Steering) -> str:
    """Return wishes, strength and end of a steering in one line."""
    wishes = ", ".join(printable(wish.text) for wish in steering.wishes)
    parts = [wishes]
    if steering.strength != 1:
        parts.append(f"strength {number(steering.strength)}")
    if steering.HasField("ends_at"):
        parts.append(f"until {when(steering.ends_at)}")
    if steering.HasField("songs_left"):
        parts.append(f"for {counted(steering.songs_left, 'more song')}")
    return "; ".join(parts)


def queued(entries: Iterable[Any]) -> str:
    """Return how many of the entries were queued."""
    count = sum(entry.HasField("song_id") for entry in entries)
    return f"{counted(count, 'track')} put at the end of the queue"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 track`, `2 tracks`, `2 entries`."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines, columns two spaces apart."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in table)
    return [line.rstrip() for line in lines]
