"""Reading all stickers of one name, without asking for more than MPD can send at once.

MPD drops a client whose answer does not fit into its output buffer (8 MiB by default, about
70,000 stickers), and before 0.24 it cannot page what `sticker find` returns. So large databases
are asked folder by folder.
"""

from anagnorisisd.mpd import translate
from anagnorisisd.mpd.connection import GONE, Connection, Refused

AT_ONCE = 20_000
"""Databases of up to so many songs are asked for all stickers in one go."""


async def find(connection: Connection, name: str) -> dict[str, str]:
    """Return the value of each song's sticker of that name, by the song's name in MPD.

    Raises:
        PlayerUnavailable: the link is gone.
        PlayerRefused: MPD has no stickers, or does not let us read them.
    """
    songs = translate.song_count(await connection.call("stats"))
    if songs <= AT_ONCE:
        return await _below(connection, "", name)
    found: dict[str, str] = {}
    for row in await connection.rows("lsinfo"):
        if "directory" in row:
            found |= await _below(connection, str(row["directory"]), name)
        elif "file" in row:
            file = str(row["file"])
            if (value := await get(connection, file, name)) is not None:
                found[file] = value
    return found


async def _below(connection: Connection, folder: str, name: str) -> dict[str, str]:
    rows = await connection.rows("sticker find", "song", folder, name)
    return dict(map(translate.sticker, rows))


async def get(connection: Connection, file: str, name: str) -> str | None:
    """Return one song's sticker; `None` where MPD has no such sticker or no such song.

    Raises:
        PlayerUnavailable: the link is gone.
        PlayerRefused: MPD has no stickers, or does not let us read them.
    """
    try:
        return str(await connection.call("sticker get", "song", file, name))
    except Refused as error:
        if error.code is not GONE:
            raise
    return None
