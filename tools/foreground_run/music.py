"""Which music to run on: the folder asked for, the listener's own, or the demo library."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.console import GiveUp, say
from tools.demo import library


@dataclass(frozen=True, slots=True)
class Music:
    """The music folder, and whether it is our demo library."""

    folder: Path
    demo: bool = False


def choose(
    asked: str | None, usual: Collection[Path], formats: Collection[str], demo: Path
) -> Music:
    """Return the folder `asked` for, else the first `usual` one with audio, else the demo library.

    Raises:
        GiveUp: the folder asked for cannot be used.
    """
    if asked:
        return Music(_usable(Path(asked).expanduser().absolute(), formats))
    for folder in usual:
        if holds_audio(folder, formats):
            return Music(folder)
    say(f"No music found in {' or '.join(map(str, usual))}: taking the demo library.")
    if any(not (demo / song.path).exists() for song in library.songs()):
        say(f"Making it in {demo}: 40 tracks of four kinds, a few seconds ...")
        library.make(demo)
    return Music(demo, demo=True)


def holds_audio(folder: Path, formats: Collection[str]) -> bool:
    """Tell whether a folder has audio, at any depth."""
    return next(audio(folder, formats), None) is not None


def audio(folder: Path, formats: Collection[str]) -> Iterator[Path]:
    """Yield the files below a folder that have one of the extensions, hidden ones left out."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and name.rpartition(".")[2].lower() in formats:
                yield Path(parent, name)


def _usable(folder: Path, formats: Collection[str]) -> Path:
    if not folder.is_dir():
        raise GiveUp(f"MUSIC={folder} is not a folder; name the one that holds your music")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise GiveUp(
            f"MUSIC={folder} cannot be read by you; change its permissions or choose another"
        )
    if not holds_audio(folder, formats):
        raise GiveUp(f"MUSIC={folder} holds no audio ({', '.join(formats)}); choose another folder")
    return folder
