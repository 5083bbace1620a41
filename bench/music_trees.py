"""Music folders of any size: small mp3 files with tags, three folders deep, no two alike.

The tags are in UTF-8; with tags in UTF-16, as older taggers write them, reading a file takes a
third longer.
"""

# mypy: disable-error-code="no-untyped-call"

import io
import os
from pathlib import Path

from mutagen.id3 import ID3, TALB, TCON, TDRC, TIT2, TPE1, Encoding

from tests.support.media import encoded

TRACKS_AN_ALBUM = 10
ALBUMS_AN_ARTIST = 4
LONG_AGO = 1_600_000_000
CHANGED_BYTES = 8


def plant(root: Path, count: int) -> None:
    """Write `count` files below `root`; each has audio of its own and the tags of its album."""
    audio = encoded("mp3", seconds=0.3)
    albums = range(0, count, TRACKS_AN_ALBUM)
    for album, first in enumerate(albums):
        folder = root / f"Artist {album // ALBUMS_AN_ARTIST:05}" / f"Album {album:05}"
        folder.mkdir(parents=True)
        for number in range(first, min(count, first + TRACKS_AN_ALBUM)):
            path = folder / f"{number % TRACKS_AN_ALBUM + 1:02} Track {number:06}.mp3"
            path.write_bytes(_tags(album, number) + _changed(audio, number))
            os.utime(path, (LONG_AGO + number, LONG_AGO + number))


def _tags(album: int, number: int) -> bytes:
    tags = ID3()
    tags.add(TIT2(encoding=Encoding.UTF8, text=[f"Track {number}"]))
    tags.add(TPE1(encoding=Encoding.UTF8, text=[f"Artist {album // ALBUMS_AN_ARTIST}"]))
    tags.add(TALB(encoding=Encoding.UTF8, text=[f"Album {album}"]))
    tags.add(TCON(encoding=Encoding.UTF8, text=[f"Genre {album % 20}"]))
    tags.add(TDRC(encoding=Encoding.UTF8, text=[str(1960 + album % 60)]))
    return _written(tags)


def _written(tags: ID3) -> bytes:
    buffer = io.BytesIO()
    tags.save(buffer, padding=lambda _: 0)
    return buffer.getvalue()


def _changed(audio: bytes, number: int) -> bytes:
    """Return the audio with other bytes in the last frame, which no header depends on."""
    return audio[:-CHANGED_BYTES] + number.to_bytes(CHANGED_BYTES, "big")
