"""Parses MPD's responses into the daemon's types.

MPD 0.23 to 0.25 differ in what they send. Absent fields get their defaults; a field that cannot be
parsed is an error, since no MPD sends it.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, QueueEntry, SongId
from anagnorisisd.domain.track import Uri, split_disc
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd.connection import Row

CUE_TRACK = re.compile(r"\.cue/track\d{4}$", re.IGNORECASE)
"""Ends MPD's URI of a track of a cue sheet."""

T = TypeVar("T")


def song_id(status: Row) -> SongId | None:
    """Return the id of the current song."""
    number = _field(status, "songid", int, None)
    return None if number is None else SongId(number)


def position(status: Row) -> int | None:
    """Return the position of the current song, counting from 0."""
    return _field(status, "song", int, None)


def is_random(status: Row) -> bool:
    """Return whether random mode is on."""
    return _field(status, "random", _boolean, False)


def queue_version(status: Row) -> int:
    """Return the number that grows with every change of the queue."""
    return _field(status, "playlist", int, 0)


def queue_length(status: Row) -> int:
    """Return how many entries the queue has."""
    return _field(status, "playlistlength", int, 0)


def song_count(stats: Row) -> int:
    """Return how many songs MPD's database has."""
    return _field(stats, "songs", int, 0)


def player_state(status: Row, uri: Uri | None, taken_at: float, span_seconds: float) -> PlayerState:
    """Return the state; `uri` is that of the current song.

    `taken_at` and `span_seconds` are those of `PlayerState`.

    Raises:
        PlayerUnavailable: a field cannot be parsed.
    """
    duration = _field(status, "duration", _seconds, None)
    return PlayerState(
        taken_at=taken_at,
        playback_state=_field(status, "state", PlaybackState, PlaybackState.STOP),
        song_id=song_id(status),
        uri=uri,
        position=position(status),
        elapsed_seconds=_field(status, "elapsed", _seconds, None),
        duration_seconds=duration or None,
        queue_length=queue_length(status),
        queue_version=queue_version(status),
        random=is_random(status),
        repeat=_field(status, "repeat", _boolean, False),
        single=_field(status, "single", Mode, Mode.OFF),
        consume=_field(status, "consume", Mode, Mode.OFF),
        crossfade_seconds=_field(status, "xfade", _seconds, 0.0),
        error=_field(status, "error", str, None),
        updating="updating_db" in status,
        span_seconds=span_seconds,
    )


def queue_entry(row: Row, to_library: Callable[[str], Uri]) -> QueueEntry:
    """Return one entry of the queue.

    Raises:
        PlayerUnavailable: a field is missing or cannot be parsed.
    """
    return QueueEntry(
        song_id=SongId(required(row, "id", int)),
        uri=to_library(song_name(row)),
        position=required(row, "pos", int),
        priority=_field(row, "prio", int, 0),
    )


def song_name(row: Row) -> str:
    """Return MPD's URI of an entry of the queue, with its range if it is a part of a file.

    `load album.cue` adds the audio file once for each track. Such a part is `album.flac#t=5.0,10.0`
    here, as in W3C's media fragments.

    Raises:
        PlayerUnavailable: it is missing.
    """
    name = required(row, "file", str)
    start, _, end = str(row.get("range", "")).partition("-")
    return f"{name}#t={start},{end}" if start and not CUE_TRACK.search(name) else name


def track_number(song: Row) -> tuple[int, int] | None:
    """Return the numbers of disc and track of a song, which may be written as `3/12`.

    Without a disc number, that of an album tag such as "Opus (Disc 2)" counts.
    """
    disc, track = (re.match(r"\d{1,6}", str(song.get(name, ""))) for name in ("disc", "track"))
    if track is None:
        return None
    _, disc_of_album = split_disc(str(song.get("album", "")))
    return (int(disc[0]) if disc else disc_of_album or 1, int(track[0]))


def suffixes(decoders: Iterable[Row]) -> frozenset[str]:
    """Return the file name extensions in the response to `decoders`, in lower case."""
    found = (row.get("suffix", ()) for row in decoders)
    return frozenset(
        suffix.lower() for part in found for suffix in ([part] if isinstance(part, str) else part)
    )


def sticker(row: Row) -> tuple[str, str]:
    """Return the song's URI in MPD and the value, from a row of `sticker find`."""
    _, _, value = required(row, "sticker", str).partition("=")
    return required(row, "file", str), value


def required(row: Row, name: str, parse: Callable[[Any], T]) -> T:
    """Return a field that MPD always sends.

    Raises:
        PlayerUnavailable: it is missing or cannot be parsed.
    """
    value = _field(row, name, parse, None)
    if value is None:
        raise PlayerUnavailable(f"unexpected MPD response: missing field {name!r}")
    return value


D = TypeVar("D")


def _field(row: Row, name: str, parse: Callable[[Any], T], default: D) -> T | D:
    value = row.get(name)
    if value is None:
        return default
    try:
        return parse(value)
    except (ValueError, TypeError) as error:
        raise PlayerUnavailable(f"unexpected MPD response: {name!r} is {value!r}") from error


def _seconds(text: str) -> float:
    seconds = float(text)
    if not math.isfinite(seconds):
        raise ValueError(text)
    return seconds


def _boolean(text: str) -> bool:
    return bool(int(text))
