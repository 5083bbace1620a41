"""Reads the names of all songs in MPD's database.

MPD closes a connection whose response exceeds its output buffer (8 MiB unless configured), so a
large database is read by directories, and one with a huge directory in pages. The former takes MPD
a third of a second for 65,000 songs, the latter five times as long.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd import response_parser
from anagnorisisd.mpd.connection import Connection, Row

MAX_SONGS_AT_ONCE = 30_000
MAX_COUNTED_DIRECTORIES = 50
"""Of more directories than this the songs are not counted: each probably has only a few."""

PAGE_SIZE = 5_000

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
        base = [_base(directory)] if directory else []
        yield _names(await connection.rows("list", "file", *base))
        return
    entries = await connection.rows("lsinfo", directory)
    yield _names(row for row in entries if "file" in row)
    directories = [response_parser.required(row, "directory", str)
                   for row in entries if "directory" in row]  # fmt: skip
    for each in directories:
        count = 0
        if len(directories) <= MAX_COUNTED_DIRECTORIES:
            count = response_parser.song_count(await connection.call("count", _base(each)))
        async for names in _below(connection, each, count):
            yield names


async def _pages(connection: Connection) -> AsyncIterator[Sequence[str]]:
    await connection.call("tagtypes", "clear")
    start = 0
    while names := _names(
        await connection.rows("find", ANY_SONG, "window", f"{start}:{start + PAGE_SIZE}")
    ):
        yield names
        start += PAGE_SIZE


def _base(directory: str) -> str:
    quoted = directory.replace("\\", "\\\\").replace('"', '\\"')
    return f'(base "{quoted}")'


def _names(rows: Iterable[Row]) -> list[str]:
    return [response_parser.required(row, "file", str) for row in rows]
