"""Splits artist and genre tags into names, such as "Alpha feat. Beta" into two artists.

| tag | artists |
|---|---|
| `Alpha; Beta`, `Alpha / Beta`, `Alpha vs. Beta` | both |
| `Alpha feat. Beta`, `Alpha ft. Beta`, `Alpha (featuring Beta)` | both |
| `Alpha & Beta`, `Alpha, Beta`, `Alpha and Beta` | both, if other tags have each by itself |
| `AC/DC`, `Earth, Wind & Fire` | one |

Names are compared without case, after Unicode normalisation (NFKC).
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

ARTIST_SEPARATORS = re.compile(r" ?; ?| / |[ (\[]+(?:featuring|feat|ft|vs)\b[. ] ?")
"""Separators of artists that are never part of a name."""

AMBIGUOUS_SEPARATORS = re.compile(r" ?, ?(?:(?:and|&) )?| (?:and|&) ")
"""Separators of artists that are also part of names."""

GENRE_SEPARATORS = re.compile(r" ?[;,/|\\] ?")

MAX_PARTS = 32
"""A name with more parts is not split: the time grows with the square of their number."""


def key(name: str) -> str:
    """Return a name in the form in which it is compared."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def genres(tag: str) -> frozenset[str]:
    """Return the keys of all genres that a tag may name, including the whole tag as one."""
    whole = key(tag)
    return frozenset(filter(None, (whole, *GENRE_SEPARATORS.split(whole))))


def artists(tags: Sequence[str]) -> list[frozenset[str]]:
    """Return the keys of the artists in each tag; `tags` are all artist tags of the library."""
    separated = [_separated(key(tag)) for tag in tags]
    known = {name for names in separated for name in names}
    return [
        frozenset(member for name in names for member in _members(name, known))
        for names in separated
    ]


def _separated(tag: str) -> list[str]:
    return [name for part in ARTIST_SEPARATORS.split(tag) if (name := _unbracketed(part))]


def _unbracketed(part: str) -> str:
    """Return a part without a closing bracket whose opening one is in the part before."""
    part = part.strip()
    for opening, closing in ("()", "[]"):
        if part.count(closing) > part.count(opening):
            part = part.removesuffix(closing).strip()
    return part


def _members(name: str, known: Collection[str]) -> list[str]:
    """Split a name into known names, the shortest possible; return it whole if that fails."""
    separators = list(AMBIGUOUS_SEPARATORS.finditer(name))
    if not separators or len(separators) >= MAX_PARTS:
        return [name]
    starts = [0, *(separator.end() for separator in separators)]
    ends = [*(separator.start() for separator in separators), len(name)]
    # Dynamic programming from the last part to the first: `rest[i]` are the names from part i on.
    rest: list[list[str] | None] = [None] * len(starts) + [[]]
    for first in reversed(range(len(starts))):
        for last in range(first, len(starts)):
            following, member = rest[last + 1], name[starts[first] : ends[last]]
            if following is not None and member in known and member != name:
                rest[first] = [member, *following]
                break
    return rest[0] or [name]


@dataclass(frozen=True, slots=True, eq=False)
class ArtistCredits:
    """The artists of `n` tracks, in the form of a sparse matrix.

    `of_track`, `[n]`, is the number of each track's artist tag, called credit. `credit` and
    `artist`, `[m]`, are pairs of a credit and one of its artists. A credit without artists stands
    for an unknown artist.
    """

    of_track: NDArray[np.int32]
    credit: NDArray[np.int32]
    artist: NDArray[np.int32]

    @classmethod
    def read(cls, of_track: NDArray[np.int32], tags: Sequence[str | None]) -> Self:
        """Return the credits of tracks; `of_track`, `[n]`, are indexes into `tags`."""
        named = [(index, tag) for index, tag in enumerate(tags) if tag is not None]
        numbers: dict[str, int] = {}
        pairs = [
            (index, numbers.setdefault(artist, len(numbers)))
            for (index, _), found in zip(named, artists([tag for _, tag in named]), strict=True)
            for artist in sorted(found)
        ]
        credit, artist = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
        return cls(of_track, credit, artist)

    def ordered(self, order: NDArray[np.intp]) -> Self:
        """Return the credits of the tracks in another order."""
        return type(self)(self.of_track[order], self.credit, self.artist)

    def sharing(self, rows: NDArray[np.int64]) -> Bools:
        """Return which tracks, `[n]`, share an artist with at least one of the tracks in `rows`."""
        count = 1 + max(int(self.of_track.max(initial=0)), int(self.credit.max(initial=0)))
        near = np.zeros(count, dtype=bool)
        near[self.of_track[rows]] = True
        wanted = np.zeros(1 + int(self.artist.max(initial=0)), dtype=bool)
        wanted[self.artist[near[self.credit]]] = True
        shared = np.zeros(count, dtype=bool)
        shared[self.credit[wanted[self.artist]]] = True
        found: Bools = shared[self.of_track]
        return found
