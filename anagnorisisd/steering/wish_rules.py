"""Which wishes cannot apply together, and how unknown ones are reported."""

import difflib
from collections.abc import Collection, Sequence
from itertools import combinations

from anagnorisisd.domain.steering import EnergyWish, TagWish, Wish
from anagnorisisd.embedding.sound_tags import TAG_OF_WORD
from anagnorisisd.errors import InvalidValue

MAX_WISHES = 16
NEAREST = 3
MAX_LISTED = 40


def canonical(wish: Wish) -> Wish:
    """Return a tag wish with the name of its sound tag: `dance` for `House`."""
    if not isinstance(wish, TagWish):
        return wish
    name = wish.name.casefold()
    return TagWish(TAG_OF_WORD.get(name, name), wish.unwanted)


def check(wishes: Sequence[Wish], strength: float) -> None:
    """Check what needs no library.

    Raises:
        InvalidValue: there are too many wishes, two contradict each other, or a number is out of
            range.
    """
    if len(wishes) > MAX_WISHES:
        raise InvalidValue("wishes", f"{len(wishes)} wishes are more than {MAX_WISHES}")
    if not 0 <= strength <= 1:
        raise InvalidValue("strength", f"{strength:g} is not between 0 and 1")
    for wish in wishes:
        if isinstance(wish, EnergyWish) and not 0 <= wish.level <= 1:
            raise InvalidValue("energy", f"{wish.level:g} is not between 0 and 1")
    for one, other in combinations(wishes, 2):
        if _contradict(one, other):
            raise InvalidValue("wishes", f"{one} and {other} contradict each other")


def _contradict(one: Wish, other: Wish) -> bool:
    if isinstance(one, TagWish) and isinstance(other, TagWish):
        return one.name == other.name and one.unwanted is not other.unwanted
    if isinstance(one, EnergyWish) and isinstance(other, EnergyWish):
        return one.level != other.level
    return False


def unknown(noun: str, name: str, known: Collection[str]) -> InvalidValue:
    """Return the error for a wish that names nothing in the library, with the nearest names."""
    by_key = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(by_key), NEAREST, cutoff=0.6)
    nearest = " or ".join(by_key[key] for key in close)
    if not close:
        hint = f"; there are {', '.join(sorted(known))}" if 0 < len(known) <= MAX_LISTED else ""
    else:
        hint = f"; did you mean {nearest}?"
    return InvalidValue(noun, f"there is no {noun} {name!r}{hint}")
