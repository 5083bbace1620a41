"""The map of the library as the browser gets it: small columns, and the ids kept here."""

import hashlib
import math
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from anagnorisis.v1.library_pb2 import GetLibraryMapResponse

ID_BYTES = 16
VERSION_BYTES = 8
KEPT = 4
"""Maps that are kept, for pages that were opened before the library changed."""

COORDINATE_STEPS = 32767
RATING_STEPS = 25
"""Steps per rating point: a rating is a byte, 0 to 250."""
SCORE_STEPS, SCORE_ZERO = 30, 125
"""Steps per standard deviation; a score is a byte, 0 to 250: about -4 to 4."""
NONE = 255
MAX_BYTE = 250


class Columns(NamedTuple):
    """The tracks of a map: their ids, 16 bytes each, and what the browser draws."""

    track_ids: bytes
    x: Sequence[float]
    y: Sequence[float]
    rating: Sequence[float]
    predicted: Sequence[float]
    score: Sequence[float]

    @classmethod
    def joined(cls, messages: Iterable[GetLibraryMapResponse]) -> "Columns":
        """Return the columns of all messages together."""
        ids = bytearray()
        columns = [array("f") for _ in range(5)]
        for message in messages:
            ids += message.track_ids
            parts = (
                message.x, message.y, message.rating, message.predicted_rating,
                message.sound_tag_score,
            )  # fmt: skip
            for column, part in zip(columns, parts, strict=True):
                column.extend(part)
        return cls(bytes(ids), *columns)


def encode(columns: Columns) -> bytes:
    """Return a map for the browser; all numbers are little-endian.

    | bytes | content                                                                    |
    |-------|----------------------------------------------------------------------------|
    | 8     | version: another one means that a number stands for another track           |
    | 4     | number of tracks, n                                                        |
    | 2n    | x, -32767 to 32767                                                         |
    | 2n    | y, the same                                                                |
    | n     | rating in steps of 1/25, 255 without                                       |
    | n     | predicted rating, the same                                                 |
    | n     | score of the tag: 125 is the mean, 30 steps a standard deviation, 255 none |

    A track is known by its place in the columns, its number from 0.
    """
    count = len(columns.track_ids) // ID_BYTES
    coordinates = array("h")
    for column in (columns.x, columns.y):
        coordinates.extend(int(value * COORDINATE_STEPS) for value in column)
    if struct.pack("=h", 1) != struct.pack("<h", 1):
        coordinates.byteswap()
    scores = columns.score or [math.nan] * count
    return b"".join(
        (
            version(columns),
            struct.pack("<I", count),
            coordinates.tobytes(),
            _bytes(columns.rating, RATING_STEPS, 0),
            _bytes(columns.predicted, RATING_STEPS, 0),
            _bytes(scores, SCORE_STEPS, SCORE_ZERO),
        )
    )


def version(columns: Columns) -> bytes:
    """Return what identifies the numbering of the tracks."""
    return hashlib.sha256(columns.track_ids).digest()[:VERSION_BYTES]


def _bytes(values: Iterable[float], steps: int, zero: int) -> bytes:
    return bytes(
        NONE if math.isnan(value) else min(max(round(value * steps) + zero, 0), MAX_BYTE)
        for value in values
    )


class Numbering:
    """Which track a number of a map stands for."""

    def __init__(self) -> None:
        self._ids: dict[str, bytes] = {}

    def add(self, columns: Columns) -> None:
        """Keep the ids of a map; the oldest is forgotten."""
        name = version(columns).hex()
        self._ids.pop(name, None)
        self._ids[name] = columns.track_ids
        while len(self._ids) > KEPT:
            del self._ids[next(iter(self._ids))]

    def __contains__(self, version_name: str) -> bool:
        """Return whether a map, by its version in hexadecimal digits, is kept."""
        return version_name in self._ids

    def track_ids(self, version_name: str, numbers: Iterable[int]) -> Iterator[str]:
        """Yield the ids of tracks; numbers that the map does not have are left out."""
        ids = self._ids[version_name]
        for number in numbers:
            found = ids[number * ID_BYTES : (number + 1) * ID_BYTES] if number >= 0 else b""
            if found:
                yield found.hex()

    def numbers(self, version_name: str, track_ids: Iterable[str]) -> list[int]:
        """Return the numbers of those of the tracks that the map has, in ascending order."""
        ids = self._ids[version_name]
        wanted = {bytes.fromhex(track_id) for track_id in track_ids}
        starts = range(0, len(ids), ID_BYTES)
        return [start // ID_BYTES for start in starts if ids[start : start + ID_BYTES] in wanted]
