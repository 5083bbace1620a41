"""Generated state directories, as after a long time of use.

Rows are inserted directly, because the daemon would need hours for a million tracks. The schema,
including its triggers, is the daemon's.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Metrics
from anagnorisisd.embedding.features.plan import STAMP
from anagnorisisd.storage.stores import FILE_NAME, open_stores

T = TypeVar("T")

EMBEDDER = "embedding:\n  embedder: features\n"
"""Configuration of a daemon that shall keep the vectors that are filled in."""

METRICS = Metrics(1.5, 2.0, 0.5, 0.68, 0.95, {"mean": 1.5})
EPOCH = 1_700_000_000.0
DAY = 86_400.0
CHUNK = 10_000
TRACKS_PER_ALBUM = 10
TRACKS_PER_ARTIST = 40


@dataclass(frozen=True)
class StateContents:
    """How much is in it; `folder` is the music folder whose files the tracks are, if any."""

    tracks: int
    folder: Path | None = None
    vectors: bool = False
    predictions: bool = False
    ratings: int = 0
    plays: int = 0
    stamp: EmbedderStamp = STAMP


def fill(state: Path, contents: StateContents) -> Path:
    """Create the database of `state` and return its path."""
    asyncio.run(_create(state))
    database = state / FILE_NAME
    rng = np.random.default_rng(0)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        _add_tracks(connection, contents)
        if contents.vectors:
            _add_vectors(connection, contents, rng)
        if contents.predictions:
            _add_predictions(connection, contents, rng)
        _add_ratings(connection, contents, rng)
        _add_plays(connection, contents, rng)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


def track_id(number: int) -> str:
    """Return the id of a track by its number, from 0."""
    return blake2b(number.to_bytes(8, "big"), digest_size=16).hexdigest()


async def _create(state: Path) -> None:
    stores = await open_stores(state)
    await stores.close()


def _add_tracks(connection: sqlite3.Connection, contents: StateContents) -> None:
    connection.executemany(
        "INSERT INTO tracks (id, track_id, added_at) VALUES (?, ?, ?)",
        ((number + 1, track_id(number), EPOCH + number) for number in range(contents.tracks)),
    )
    connection.executemany(
        """INSERT INTO files (path, track, present, seen_at, size_bytes, mtime_ns, title, artist,
            album, genre, year, duration_seconds, search_text, artist_code, album_code)
        VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, 200, ?, ?, ?)""",
        (_file_row(number, *file) for number, file in enumerate(_files(contents))),
    )


def _files(contents: StateContents) -> Iterator[tuple[bytes, int, int]]:
    """Yield path, size and time of change of as many files as there are tracks."""
    if contents.folder is None:
        for number in range(contents.tracks):
            album, artist = number // TRACKS_PER_ALBUM, number // TRACKS_PER_ARTIST
            invented = f"Artist {artist:05}/Album {album:06}/Track {number:07}.mp3"
            yield invented.encode(), 5_000_000, number
        return
    root = bytes(contents.folder)
    for folder, _, names in os.walk(root):
        for name in names:
            path = folder + b"/" + name
            status = os.stat(path)  # noqa: PTH116
            yield path.removeprefix(root + b"/"), status.st_size, status.st_mtime_ns


def _file_row(number: int, path: bytes, size: int, mtime_ns: int) -> Sequence[object]:
    album, artist = number // TRACKS_PER_ALBUM, number // TRACKS_PER_ARTIST
    tags = (f"Track {number}", f"Artist {artist}", f"Album {album}")
    search_text = "\n".join((*tags, path.decode())).casefold()
    return (
        path, number + 1, EPOCH, size, mtime_ns, *tags, f"Genre {album % 20}", 1960 + album % 60,
        search_text, artist + 1, album + 1,
    )  # fmt: skip


def _add_vectors(
    connection: sqlite3.Connection, contents: StateContents, rng: np.random.Generator
) -> None:
    connection.execute(
        "INSERT INTO embedders (id, name, version, dimension) VALUES (1, ?, ?, ?)",
        (contents.stamp.name, contents.stamp.version, contents.stamp.dimension),
    )
    for numbers in _chunks(range(contents.tracks)):
        vectors = rng.standard_normal((len(numbers), contents.stamp.dimension), np.float32)
        connection.executemany(
            "INSERT INTO embeddings (embedder, track, vector) VALUES (1, ?, ?)",
            (
                (number + 1, vector.tobytes())
                for number, vector in zip(numbers, vectors, strict=True)
            ),
        )


def _add_predictions(
    connection: sqlite3.Connection, contents: StateContents, rng: np.random.Generator
) -> None:
    connection.execute(
        """INSERT OR IGNORE INTO embedders (id, name, version, dimension) VALUES (1, ?, ?, ?)""",
        (contents.stamp.name, contents.stamp.version, contents.stamp.dimension),
    )
    connection.execute(
        """INSERT INTO evaluators (version, model, embedder, trained_at, rating_count, metrics,
            notes, status, promotion_reason, blob)
        VALUES (1, 'mean', 1, ?, 100, ?, '{}', 'current', 'stocked', x'')""",
        (EPOCH, json.dumps(asdict(METRICS))),
    )
    means = rng.uniform(0, 10, contents.tracks).tolist()
    connection.executemany(
        "INSERT INTO predictions (track, version, mean, stddev) VALUES (?, 1, ?, 1.5)",
        ((number + 1, mean) for number, mean in enumerate(means)),
    )


def _add_ratings(
    connection: sqlite3.Connection, contents: StateContents, rng: np.random.Generator
) -> None:
    rated = rng.choice(
        contents.tracks, contents.ratings, replace=contents.ratings > contents.tracks
    )
    connection.executemany(
        "INSERT INTO ratings (track, value, rated_at, source) VALUES (?, ?, ?, 'bench')",
        (
            (int(number) + 1, float(number % 11), EPOCH + place * DAY / 10)
            for place, number in enumerate(rated)
        ),
    )


def _add_plays(
    connection: sqlite3.Connection, contents: StateContents, rng: np.random.Generator
) -> None:
    played = rng.integers(contents.tracks, size=contents.plays).tolist()
    connection.executemany(
        """INSERT INTO plays
            (track, started_at, ended_at, heard_seconds, duration_seconds, outcome, reason)
        VALUES (?, ?, ?, 180, 200, ?, 'bench')""",
        (
            (number + 1, EPOCH + place * 600, EPOCH + place * 600 + 180, _outcome(place))
            for place, number in enumerate(played)
        ),
    )


def _outcome(place: int) -> str:
    return "skip" if place % 5 == 0 else "full"


def _chunks(values: Sequence[T]) -> Iterator[list[T]]:
    remaining = iter(values)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
