"""Argument types: ratings such as `8`, `7.5`, `+1`, `-0.5`; whole numbers; UTF-8 text."""

import argparse
import math
import os
from collections.abc import Callable
from typing import NamedTuple

MAX_INT32 = (1 << 31) - 1
MAX_INT64 = (1 << 63) - 1
MAX_UINT64 = (1 << 64) - 1


class Value(NamedTuple):
    """A rating or, if `relative`, a change of a rating, in rating points."""

    number: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> "Value":
        """Parse a rating; a sign makes it relative.

        Raises:
            argparse.ArgumentTypeError: the text is not a finite number.
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
    """Return a parser of whole numbers from `lowest` to `highest`, the limits of a proto type."""

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
    """Check that an argument, which may hold any bytes, is UTF-8.

    Raises:
        argparse.ArgumentTypeError: the argument is not UTF-8.
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        pass
    try:
        # In the C locale, Python decodes non-ASCII bytes to surrogates.
        return os.fsencode(text).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(
            f"{shortened(text)} is not UTF-8 text; a track can be named by its id, too"
        ) from None


def shortened(text: str) -> str:
    """Return the text quoted and shortened for an error message."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."
