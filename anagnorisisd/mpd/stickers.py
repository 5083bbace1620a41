"""MPD's stickers: reading all of one name, reading one, and writing one.

MPD drops a client whose response does not fit into its output buffer (8 MiB by default, about
70,000 stickers), and before 0.24 the response of `sticker find` has no pages. So the stickers of a
large database are read directory by directory.
"""

from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd import response_parser
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.errors import NOT_FOUND, CommandRefused

MAX_SONGS_AT_ONCE = 20_000
"""The stickers of a database with at most so many songs are read by one command."""

MAX_STICKERS = 1_000_000
"""Of one name. Each response has a limit of its own, but not their number."""


async def find(connection: Connection, name: str) -> dict[str, str]:
    """Return the sticker `name` of each song that has one, by the song's URI in MPD.

    Raises:
        PlayerUnavailable: the connection is lost, or MPD sends more stickers than fit into memory;
            then the connection is closed.
        PlayerRefused: MPD has no stickers, or does not permit reading them.
    """
    songs = response_parser.song_count(await connection.call("stats"))
    if songs <= MAX_SONGS_AT_ONCE:
        return await _find_below(connection, "", name)
    found: dict[str, str] = {}
    for row in await connection.rows("lsinfo"):
        if len(found) > MAX_STICKERS:
            connection.close()
            raise PlayerUnavailable(f"MPD sends more than {MAX_STICKERS} stickers {name!r}")
        if "directory" in row:
            found |= await _find_below(connection, str(row["directory"]), name)
        elif "file" in row:
            uri = str(row["file"])
            if (value := await get(connection, uri, name)) is not None:
                found[uri] = value
    return found


async def _find_below(connection: Connection, directory: str, name: str) -> dict[str, str]:
    rows = await connection.rows("sticker find", "song", directory, name)
    return dict(map(response_parser.sticker, rows))


async def get(connection: Connection, uri: str, name: str) -> str | None:
    """Return one song's sticker; `None` if MPD has no such sticker or no such song.

    Raises:
        PlayerUnavailable: the connection is lost.
        PlayerRefused: MPD has no stickers, or does not permit reading them.
    """
    try:
        return str(await connection.call("sticker get", "song", uri, name))
    except CommandRefused as error:
        if error.code is not NOT_FOUND:
            raise
    return None


async def put(connection: Connection, uri: str, name: str, value: str | None) -> None:
    """Write one song's sticker; `None` deletes it, if it exists.

    Raises:
        PlayerUnavailable: the connection is lost.
        PlayerRefused: MPD has no such song, no stickers, or does not permit writing them.
    """
    if value is not None:
        await connection.call("sticker set", "song", uri, name, value)
        return
    try:
        await connection.call("sticker delete", "song", uri, name)
    except CommandRefused as error:
        if error.code is not NOT_FOUND:
            raise
