"""Reads the names of all songs in MPD's database.

MPD closes a connection whose response exceeds its output buffer (8 MiB unless configured), so a
large database is read by directories, many of them at once. If that is still too much, because one
of them has most of the songs, it is read in pages, for each of which MPD visits all songs before.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd import response_parser
from anagnorisisd.mpd.connection import Connection, Row

MAX_SONGS_AT_ONCE = 30_000
MAX_COUNTED_DIRECTORIES = 50
"""Of more directories than this the songs are not counted: each probably has only a few."""

MAX_DIRECTORIES_AT_ONCE = 1_000
MARGIN = 4
"""Directories that are read at once may have so many times the average number of songs."""

PAGE_SIZE = 20_000

FILE = b"file: "

ANY_SONG = "(file != '')"


async def song_names(connect: Callable[[], Awaitable[Connection]]) -> AsyncIterator[Sequence[str]]:
    """Yield MPD's names of all songs in several parts; some names may come twice.

    Raises:
        CommandRefused: MPD does not support or permit this.
        PlayerUnavailable: the connection was lost.
    """
    count = 0
    connection = await connect()
    try:
        count = response_parser.song_count(await connection.call("stats"))
        async for names in _below(connection, "", count):
            yield names
        return
    except PlayerUnavailable:
        if not count > MAX_SONGS_AT_ONCE:
            raise
    finally:
        connection.close()
    connection = await connect()
    try:
        async for names in _pages(connection):
            yield names
    finally:
        connection.close()


async def _below(
    connection: Connection, directory: str, count: int
) -> AsyncIterator[Sequence[str]]:
    """Yield the names of the `count` songs below a directory; "" is the root."""
    if count <= MAX_SONGS_AT_ONCE:
        yield await _list(connection, [directory])
        return
    entries = await connection.rows("lsinfo", directory)
    yield _names(row for row in entries if "file" in row)
    directories = [response_parser.required(row, "directory", str)
                   for row in entries if "directory" in row]  # fmt: skip
    if len(directories) > MAX_COUNTED_DIRECTORIES:
        at_once = MAX_SONGS_AT_ONCE * len(directories) // (MARGIN * count)
        at_once = min(max(1, at_once), MAX_DIRECTORIES_AT_ONCE)
        for start in range(0, len(directories), at_once):
            yield await _list(connection, directories[start : start + at_once])
        return
    for each in directories:
        count = response_parser.song_count(await connection.call("count", _base(each)))
        async for names in _below(connection, each, count):
            yield names


async def _list(connection: Connection, directories: Iterable[str]) -> list[str]:
    """Return the names of all songs below some directories."""
    bases = ([_base(directory)] if directory else [] for directory in directories)
    return _file_names(await connection.lines(*(("list", "file", *base) for base in bases)))


async def _pages(connection: Connection) -> AsyncIterator[Sequence[str]]:
    await connection.call("tagtypes", "clear")
    start = 0
    while names := _file_names(
        await connection.lines(("find", ANY_SONG, "window", f"{start}:{start + PAGE_SIZE}"))
    ):
        yield names
        start += PAGE_SIZE


def _base(directory: str) -> str:
    quoted = directory.replace("\\", "\\\\").replace('"', '\\"')
    return f'(base "{quoted}")'


def _file_names(lines: Iterable[bytes]) -> list[str]:
    names = (line.removeprefix(FILE) for line in lines if line.startswith(FILE))
    return [name.decode(errors="surrogateescape") for name in names]


def _names(rows: Iterable[Row]) -> list[str]:
    return [response_parser.required(row, "file", str) for row in rows]
