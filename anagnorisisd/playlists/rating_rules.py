"""Which playlists rate, and what adding a song to each of them does.

| playlist      | adding a song                        |
|---------------|--------------------------------------|
| `Rate 00`     | rates it 0                           |
| `Rate 01`     | rates it 1                           |
| ...           | ...                                  |
| `Rate 10`     | rates it 10                          |
| `Rate: clear` | clears its rating                    |
| `Rate: undo`  | undoes the last rating of any song   |

`Rate` is the configured prefix. The names sort in this order.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Rate the song."""

    value: float


@dataclass(frozen=True, slots=True)
class Clear:
    """Clear the song's rating."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo the last change of a rating, whichever song was added."""


Action = Rate | Clear | Undo

ENDINGS: Mapping[str, Action] = {
    **{f" {value:02}": Rate(float(value)) for value in range(11)},
    ": clear": Clear(),
    ": undo": Undo(),
}


def names(prefix: str) -> list[str]:
    """Return the names of all rating playlists."""
    return [prefix + ending for ending in ENDINGS]


def action(name: str) -> Action:
    """Return what adding a song to the rating playlist `name` does, whatever its prefix.

    Raises:
        ValueError: no rating playlist has such a name.
    """
    for ending, found in ENDINGS.items():
        if name.endswith(ending):
            return found
    raise ValueError(f"{name!r} is not the name of a rating playlist")
