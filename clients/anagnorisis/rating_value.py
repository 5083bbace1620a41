"""What people type: ratings such as `8`, `7.5`, `+1`, `-0.5`; whole numbers; text."""

import argparse
import math
import os
from collections.abc import Callable
from typing import NamedTuple

LARGEST_INT32 = (1 << 31) - 1
LARGEST_INT64 = (1 << 63) - 1
LARGEST_UINT64 = (1 << 64) - 1


class Value(NamedTuple):
    """A rating, or with a sign a change of it, in rating points."""

    number: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> "Value":
        """Read what was typed.

        Raises:
            argparse.ArgumentTypeError: it is not a number.
        """
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise argparse.ArgumentTypeError(
                f"{shortened(text)} is not a rating; give 0 to 10, or +1 and -1 to change it"
            )
        return cls(number, relative=text.strip()[0] in "+-")


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds, which are those of the contract's types."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise argparse.ArgumentTypeError(
                f"{shortened(text)} is not a whole number from {lowest} to {highest}"
            )
        return number

    return read


def utf8(text: str) -> str:
    """Read text for the daemon: the bytes of an argument may be anything.

    Raises:
        argparse.ArgumentTypeError: it is not UTF-8.
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        pass
    try:
        # In a locale such as C, Python takes all that is not ASCII for bytes.
        return os.fsencode(text).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(
            f"{shortened(text)} is not UTF-8 text; a track can be named by its id, too"
        ) from None


def shortened(text: str) -> str:
    """Return what was typed as a message can show it."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."
