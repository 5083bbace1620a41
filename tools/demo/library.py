"""The catalogue of the demo library, and the files made from it.

    python -m tools.demo.library FOLDER

Forty tagged tracks of 20 to 40 seconds by eight artists in four styles. Chance is seeded by the
titles, so everybody gets the same music. What is there already is not made again.
"""

import signal
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tools.demo.sounds import RATE, Signal
from tools.demo.styles import Style, ambient, chiptune, folk, techno

MIN_SECONDS, MAX_SECONDS = 20.0, 40.0
FADE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist with one album; `mood` tells the two artists of a style apart."""

    name: str
    album: str
    genre: str
    year: int
    style: Style
    mood: int
    extension: str
    titles: tuple[str, ...]


ARTISTS = (
    Artist("Slow Tide", "Harbour at Night", "Ambient", 2011, ambient, 0, "flac",
           ("Low Water", "Buoys", "The Long Pier", "Fog Signal", "Moorings")),
    Artist("Paper Lanterns", "Winter Rooms", "Ambient", 2019, ambient, 1, "opus",
           ("First Snow", "Attic", "Frosted Glass", "Embers", "Half Asleep")),
    Artist("Kilowatt", "Grid", "Techno", 2015, techno, 0, "mp3",
           ("Transformer", "Base Load", "Fifty Hertz", "Pylon", "Surge")),
    Artist("Night Shift", "Conveyor", "Techno", 2021, techno, 1, "opus",
           ("Clock In", "Forklift", "Sodium Light", "Overtime", "Last Bus")),
    Artist("Pixel Orchard", "Sixteen Colours", "Chiptune", 2009, chiptune, 0, "opus",
           ("Press Start", "Apple Level", "Bonus Stage", "Cloud Jump", "High Score")),
    Artist("Coin Op", "Dungeon Tapes", "Chiptune", 2013, chiptune, 1, "flac",
           ("Torchlight", "Slime King", "Trapdoor", "Potion", "Boss Music")),
    Artist("Hazel & Ash", "Hedgerow", "Folk", 2007, folk, 0, "flac",
           ("Stile", "Blackberry Lane", "Wren", "Haymaking", "Over the Weir")),
    Artist("The Ferryman", "Two Pence Crossing", "Folk", 2017, folk, 1, "opus",
           ("Rope and Oar", "Widow's Bank", "Coal Barge", "Low Lantern", "No Return")),
)  # fmt: skip

CODECS = {"mp3": "libmp3lame", "flac": "flac", "opus": "libopus"}
RATES = {"opus": 48_000}
OPTIONS = {"mp3": {"compression_level": "9"}}
"""To LAME, by far the slowest of them, 9 means fastest."""


@dataclass(frozen=True, slots=True)
class Song:
    """One track of the catalogue; `number` counts from 1 within its album."""

    artist: Artist
    number: int

    @property
    def title(self) -> str:
        """The title."""
        return self.artist.titles[self.number - 1]

    @property
    def path(self) -> Path:
        """Where the file lies, relative to the folder of the library."""
        name = f"{self.number:02} {self.title}.{self.artist.extension}"
        return Path(self.artist.name, self.artist.album, name)

    def signal(self) -> NDArray[np.float32]:
        """Return the music, `[2, n]`, at `RATE`."""
        rng = np.random.default_rng(zlib.crc32(f"{self.artist.name}/{self.title}".encode()))
        seconds = float(rng.uniform(MIN_SECONDS, MAX_SECONDS))
        return _mastered(self.artist.style(rng, seconds, self.artist.mood))


def songs() -> Iterator[Song]:
    """Yield the whole catalogue."""
    for artist in ARTISTS:
        for number in range(1, len(artist.titles) + 1):
            yield Song(artist, number)


def make(folder: Path) -> int:
    """Make what is missing of the library in `folder` and return how many files were made."""
    missing = [song for song in songs() if not (folder / song.path).exists()]
    # Ctrl-C is for this process; the workers end with the track they are at.
    deaf = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(initializer=signal.signal, initargs=deaf) as workers:
        for _ in workers.map(_write, missing, [folder] * len(missing)):
            pass
    return len(missing)


def _write(song: Song, folder: Path) -> None:
    target = folder / song.path
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}")
    encode(song, unfinished)
    unfinished.rename(target)


def encode(song: Song, path: Path) -> None:
    """Write one song with its tags to `path`."""
    artist = song.artist
    with av.open(str(path), "w", format=artist.extension) as container:
        container.metadata.update(
            title=song.title, artist=artist.name, album=artist.album, genre=artist.genre,
            date=str(artist.year), track=str(song.number),
        )  # fmt: skip
        rate = RATES.get(artist.extension, RATE)
        stream = container.add_stream(
            CODECS[artist.extension],
            rate=rate,
            layout="stereo",
            options=OPTIONS.get(artist.extension, {}),
        )
        assert isinstance(stream, av.AudioStream)
        pcm = (song.signal().T * 32_767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm), format="s16", layout="stereo")
        frame.sample_rate = RATE
        for part in (frame, None):
            for packet in stream.encode(part):
                container.mux(packet)


def _mastered(signal: Signal) -> NDArray[np.float32]:
    """Return a mono signal as stereo: even loudness, soft edges, a little width."""
    loud = np.tanh(signal / (np.sqrt(np.mean(signal**2)) * 5 + 1e-9)) * np.float32(0.9)
    fade = int(FADE_SECONDS * RATE)
    loud[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    loud[: fade // 20] *= np.linspace(0, 1, fade // 20, dtype=np.float32)
    # A right channel a few milliseconds late sounds wide and costs nothing.
    return np.stack([loud, 0.8 * np.roll(loud, 300) + 0.2 * loud]).astype(np.float32)


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    print(f"{made} tracks made in {sys.argv[1]}")
