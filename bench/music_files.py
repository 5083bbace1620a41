"""Music to measure with: synthesised songs of three minutes, and directories of small mp3 files.

The small files have UTF-8 tags; with UTF-16 tags, as older taggers write them, reading a file takes
a third longer.
"""

# mypy: disable-error-code="no-untyped-call"

import io
import os
from pathlib import Path

import numpy as np
import soundfile
from mutagen.id3 import ID3, TALB, TCON, TDRC, TIT2, TPE1, Encoding

from tests.support.media import encoded

RATE = 44_100
SECONDS = 180.0
FORMATS = ("mp3", "flac", "ogg", "opus")
EXTENSIONS = {*FORMATS, "m4a", "wav"}
MIN_BYTES = 500_000
"""Smaller files are jingles."""
TRACKS_PER_ALBUM = 10
ALBUMS_PER_ARTIST = 4
FIRST_MTIME = 1_600_000_000
CHANGED_BYTES = 8


def songs(folder: Path, count: int) -> list[Path]:
    """Return `count` songs: those of `ANAGNORISIS_BENCH_MUSIC` if set, else synthesised ones."""
    if found := own_songs():
        return found[:: max(1, len(found) // count)][:count]
    return [_write_song(folder, number) for number in range(count)]


def own_songs() -> list[Path]:
    """Return all songs below `ANAGNORISIS_BENCH_MUSIC`; none if it is not set."""
    own = os.environ.get("ANAGNORISIS_BENCH_MUSIC")
    found = sorted(Path(own).rglob("*")) if own else []
    return [
        path for path in found if path.suffix[1:] in EXTENSIONS and path.stat().st_size >= MIN_BYTES
    ]


def _write_song(folder: Path, number: int) -> Path:
    extension = FORMATS[number % len(FORMATS)]
    path = folder / f"{number:03}.{extension}"
    rate = 48_000 if extension == "opus" else RATE
    subtype = "OPUS" if extension == "opus" else None
    with soundfile.SoundFile(
        path, "w", rate, 2, subtype, format="OGG" if extension == "opus" else None
    ) as file:
        for second in range(int(SECONDS)):
            file.write(_second(number, second, rate))
    return path


def _second(
    number: int, second: int, rate: int
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Return a second of three notes and drums, `[rate, 2]`; each song has its own timbre."""
    chance = np.random.default_rng([number, second])
    own = np.random.default_rng(number)
    time = second + np.arange(rate) / rate
    sound = np.zeros(rate)
    for note in own.integers(0, 36, 3) + chance.integers(0, 3):
        for harmonic in range(1, 5):
            pitch = 110 * 2 ** (note / 12) * harmonic
            sound += np.sin(2 * np.pi * pitch * time) / harmonic ** own.uniform(1, 3)
    beats = np.exp(-np.mod(time, own.uniform(0.25, 0.6)) * own.uniform(10, 40))
    sound = 0.1 * sound + own.uniform(0, 0.3) * beats * chance.normal(size=rate)
    return np.repeat(sound[:, np.newaxis], 2, axis=1).astype(np.float32).clip(-1, 1)


def write_tree(root: Path, count: int) -> None:
    """Write `count` files below `root`; each has audio of its own and the tags of its album."""
    audio = encoded("mp3", seconds=0.3)
    albums = range(0, count, TRACKS_PER_ALBUM)
    for album, first in enumerate(albums):
        folder = root / f"Artist {album // ALBUMS_PER_ARTIST:05}" / f"Album {album:05}"
        folder.mkdir(parents=True)
        for number in range(first, min(count, first + TRACKS_PER_ALBUM)):
            path = folder / f"{number % TRACKS_PER_ALBUM + 1:02} Track {number:06}.mp3"
            path.write_bytes(_tags(album, number) + _with_suffix(audio, number))
            os.utime(path, (FIRST_MTIME + number, FIRST_MTIME + number))


def _tags(album: int, number: int) -> bytes:
    tags = ID3()
    tags.add(TIT2(encoding=Encoding.UTF8, text=[f"Track {number}"]))
    tags.add(TPE1(encoding=Encoding.UTF8, text=[f"Artist {album // ALBUMS_PER_ARTIST}"]))
    tags.add(TALB(encoding=Encoding.UTF8, text=[f"Album {album}"]))
    tags.add(TCON(encoding=Encoding.UTF8, text=[f"Genre {album % 20}"]))
    tags.add(TDRC(encoding=Encoding.UTF8, text=[str(1960 + album % 60)]))
    return _tag_bytes(tags)


def _tag_bytes(tags: ID3) -> bytes:
    buffer = io.BytesIO()
    tags.save(buffer, padding=lambda _: 0)
    return buffer.getvalue()


def _with_suffix(audio: bytes, number: int) -> bytes:
    """Return the audio with other bytes at the end of the last frame."""
    return audio[:-CHANGED_BYTES] + number.to_bytes(CHANGED_BYTES, "big")
