"""Steering: what the listener wants to hear for a while, as a list of wishes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

CALM, LIVELY = 0.0, 1.0
"""The ends of the scale of `EnergyWish`."""


@dataclass(frozen=True, slots=True)
class TagWish:
    """Music with a sound tag or genre or, if `unwanted`, without it."""

    name: str
    unwanted: bool = False

    def __str__(self) -> str:
        return f"not {self.name}" if self.unwanted else self.name


class SeedKind(StrEnum):
    """What a seed is."""

    TRACK = "track"
    ARTIST = "artist"
    ALBUM = "album"


@dataclass(frozen=True, slots=True)
class SeedWish:
    """Music that sounds like a track, or like the tracks of an artist or an album.

    `value` is a track id, or the name of an artist or album; `label` names it for the listener.
    """

    kind: SeedKind
    value: str
    label: str = ""

    def __str__(self) -> str:
        return f"like {self.label or self.value}"


@dataclass(frozen=True, slots=True)
class DecadeWish:
    """Music of the ten years from `year` on."""

    year: int

    def __str__(self) -> str:
        return f"{self.year}s"


@dataclass(frozen=True, slots=True)
class FolderWish:
    """Music below a folder; `path` is relative to the music directory."""

    path: str

    def __str__(self) -> str:
        return f"folder {self.path}"


@dataclass(frozen=True, slots=True)
class EnergyWish:
    """Music of this energy: `level` is the share of the library that is calmer, 0 to 1."""

    level: float

    def __str__(self) -> str:
        names = {CALM: "calm", LIVELY: "lively"}
        return names.get(self.level, f"energy {self.level:g}")


Wish = TagWish | SeedWish | DecadeWish | FolderWish | EnergyWish


@dataclass(frozen=True, slots=True)
class Steering:
    """The wishes that apply now, and until when.

    `strength` is 0 to 1. `ends_at` is unix seconds; `songs_left` counts songs that are still to
    start. With neither, the steering lasts until the listener ends it.
    """

    wishes: tuple[Wish, ...]
    strength: float = 1.0
    ends_at: float | None = None
    songs_left: int | None = None

    def __str__(self) -> str:
        return ", ".join(map(str, self.wishes))


@dataclass(frozen=True, slots=True)
class SteeringFactors:
    """The steering of the candidates, one row per track.

    `factor` is `[n]`, 0 to 1. `fits` has, for each wish by its text, how well each track fits:
    `[n]`, 0 to 1. `problems` says, by the same texts, why a wish has no effect, or only by a
    substitute.
    """

    factor: NDArray[np.float64]
    fits: Mapping[str, NDArray[np.float64]]
    problems: Mapping[str, str]

    def fits_of(self, row: int) -> Mapping[str, float]:
        """Return how well the track of a row fits each wish."""
        return {wish: float(fit[row]) for wish, fit in self.fits.items()}
