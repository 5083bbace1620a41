"""Validation of request fields: each function returns the value or raises `InvalidValue`."""

import re

from google.protobuf.timestamp_pb2 import Timestamp

from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import InvalidValue

DEFAULT_SOURCE = "grpc"
MAX_SOURCE_LENGTH = 64
MAX_REQUEST_ID_LENGTH = 128
MAX_TEXT_LENGTH = 256
MAX_PATH_BYTES = 4096
MAX_PAGE_SIZE = 1000
DEFAULT_PAGE = 100
MAX_SONG_ID = 2**31 - 1


def source(text: str) -> str:
    """Return the source of a rating, such as `cli`."""
    return _checked_text("source", text, MAX_SOURCE_LENGTH) or DEFAULT_SOURCE


def request_id(text: str) -> str | None:
    """Return the idempotency key of a change, `None` if the caller sent none."""
    return _checked_text("request_id", text, MAX_REQUEST_ID_LENGTH) or None


def search_text(text: str) -> str:
    """Return the search text; an empty text matches every track."""
    return _checked_text("text", text, MAX_TEXT_LENGTH)


def short_text(field: str, text: str) -> str:
    """Return a name such as that of an artist."""
    return _checked_text(field, text, MAX_TEXT_LENGTH)


def count(field: str, value: int, default: int, largest: int = MAX_PAGE_SIZE) -> int:
    """Return a count, or `default` for 0."""
    if not 0 <= value <= largest:
        raise InvalidValue(field, f"{value} is not between 0 and {largest}")
    return value or default


def track_id(text: str) -> TrackId:
    if not re.fullmatch("[0-9a-f]{32}", text):
        raise InvalidValue("target.track_id", "a track id is 32 lower-case hexadecimal digits")
    return TrackId(text)


def path(field: str, text: str) -> str:
    if not text or "\0" in text or len(text.encode()) > MAX_PATH_BYTES:
        raise InvalidValue(field, f"a path has 1 to {MAX_PATH_BYTES} bytes and none of them is 0")
    return text


def unix_seconds(field: str, stamp: Timestamp) -> float:
    """Convert a timestamp to unix seconds."""
    try:
        return float(stamp.ToNanoseconds() / 1_000_000_000)
    except ValueError as error:
        raise InvalidValue(field, str(error)) from error


def song_id(value: int, field: str = "target.song_id") -> SongId:
    """Return MPD's id of a queue entry."""
    if not 0 <= value <= MAX_SONG_ID:
        raise InvalidValue(field, f"{value} is not between 0 and {MAX_SONG_ID}")
    return SongId(value)


def _checked_text(field: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise InvalidValue(field, f"{len(text)} characters are more than {longest}")
    if not text.isprintable():
        raise InvalidValue(field, "has characters that cannot be printed")
    return text
