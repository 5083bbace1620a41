"""Ratings as people type them: `8`, `7.5`, `+1`, `-0.5`."""

import argparse
import math
from typing import NamedTuple


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
                f"{text!r} is not a rating; give 0 to 10, or +1 and -1 to change it"
            )
        return cls(number, relative=text.strip()[0] in "+-")
