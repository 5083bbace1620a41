"""Start and end of the process: standard files that are open, and an exit without delay."""

import os
import sys
from contextlib import suppress
from typing import NoReturn


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


def leave(exit_code: int) -> NoReturn:
    """End the program at once.

    Everything is written and closed by now; taking Python and grpc apart in good order would take
    as long as a rating does.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody is left who could be told
            stream.flush()
    os._exit(exit_code)
