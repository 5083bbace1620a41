"""Standard input, output and error, as programs expect them."""

import os
import sys


def open_standard_files() -> None:
    """Have standard input, output and error, whatever this was started with.

    A file opened later would get the number of one that is closed, and what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
        # Whatever a tag holds, a terminal that cannot show it must not end the program.
        getattr(sys, name).reconfigure(errors="replace")
