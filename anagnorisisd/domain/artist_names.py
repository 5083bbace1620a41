"""Names in tags: which artists and genres a tag means.

| tag | artists |
|---|---|
| `Alpha; Beta`, `Alpha / Beta`, `Alpha vs. Beta` | both |
| `Alpha feat. Beta`, `Alpha ft. Beta`, `Alpha (featuring Beta)` | both |
| `Alpha & Beta`, `Alpha, Beta`, `Alpha and Beta` | both, if the library has each by itself |
| `AC/DC`, `Earth, Wind & Fire` | one of that name |

Names are compared without case, and in one form of Unicode.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

ARTIST_JOINERS = re.compile(r" ?; ?| / |[ (\[]+(?:featuring|feat|ft|vs)\b[. ] ?")
"""What stands between artists and in no name."""

ENSEMBLE_JOINERS = re.compile(r" ?, ?(?:(?:and|&) )?| (?:and|&) ")
"""What stands between artists and in the names of ensembles as well."""

GENRE_JOINERS = re.compile(r" ?[;,/|\\] ?")

MOST_PARTS = 32
"""A tag of more parts is left as it is: there are as many ways to read it as their square."""


def key(name: str) -> str:
    """Return a name in the form in which it is compared."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def genres(tag: str) -> frozenset[str]:
    """Return the keys of all genres that a tag can mean, that of the whole tag among them."""
    whole = key(tag)
    return frozenset(filter(None, (whole, *GENRE_JOINERS.split(whole))))


def artists(tags: Sequence[str]) -> list[frozenset[str]]:
    """Return the keys of the artists that each tag means; `tags` are those of a whole library."""
    separated = [_separated(key(tag)) for tag in tags]
    known = {name for names in separated for name in names}
    return [
        frozenset(member for name in names for member in _members(name, known))
        for names in separated
    ]


def _separated(tag: str) -> list[str]:
    return [name for part in ARTIST_JOINERS.split(tag) if (name := _unbracketed(part))]


def _unbracketed(part: str) -> str:
    """Return a part without the end of a bracket that began before it."""
    part = part.strip()
    for opening, closing in ("()", "[]"):
        if part.count(closing) > part.count(opening):
            part = part.removesuffix(closing).strip()
    return part


def _members(name: str, known: Collection[str]) -> list[str]:
    """Return the known names that `name` consists of, the shortest ones; else `name` itself."""
    joints = list(ENSEMBLE_JOINERS.finditer(name))
    if not joints or len(joints) >= MOST_PARTS:
        return [name]
    starts = [0, *(joint.end() for joint in joints)]
    ends = [*(joint.start() for joint in joints), len(name)]
    # From the last part to the first: how the rest can be read, if every name in it is known.
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
    """The artists of `n` tracks: each has one credit, and each credit names artists.

    `of_track`, `[n]`, are numbers of credits. `credit` and `artist`, `[m]`, are pairs of a credit
    and one of its artists. A credit without artists stands for the unknown.
    """

    of_track: NDArray[np.int32]
    credit: NDArray[np.int32]
    artist: NDArray[np.int32]

    @classmethod
    def read(cls, of_track: NDArray[np.int32], tags: Sequence[str | None]) -> Self:
        """Return the credits of tracks whose `of_track` are places in `tags`."""
        named = [(place, tag) for place, tag in enumerate(tags) if tag is not None]
        numbers: dict[str, int] = {}
        pairs = [
            (place, numbers.setdefault(artist, len(numbers)))
            for (place, _), found in zip(named, artists([tag for _, tag in named]), strict=True)
            for artist in sorted(found)
        ]
        credit, artist = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
        return cls(of_track, credit, artist)

    def ordered(self, order: NDArray[np.intp]) -> Self:
        """Return the credits of the tracks in another order."""
        return type(self)(self.of_track[order], self.credit, self.artist)

    def sharing(self, rows: NDArray[np.int64]) -> Bools:
        """Return which tracks, `[n]`, have an artist in common with one of those in `rows`."""
        count = 1 + max(int(self.of_track.max(initial=0)), int(self.credit.max(initial=0)))
        near = np.zeros(count, dtype=bool)
        near[self.of_track[rows]] = True
        wanted = np.zeros(1 + int(self.artist.max(initial=0)), dtype=bool)
        wanted[self.artist[near[self.credit]]] = True
        shared = np.zeros(count, dtype=bool)
        shared[self.credit[wanted[self.artist]]] = True
        found: Bools = shared[self.of_track]
        return found
