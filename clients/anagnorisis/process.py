"""Start and exit of the process: open standard streams, and a fast exit."""

import os
import sys
from contextlib import suppress
from typing import NoReturn


def open_standard_files() -> None:
    """Open standard input, output and error if they are closed.

    Otherwise a file opened later could get descriptor 1 or 2 and receive the output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
        # Print `?` for a character of a tag that the terminal's encoding does not have.
        getattr(sys, name).reconfigure(errors="replace")


def exit_fast(exit_code: int) -> NoReturn:
    """Exit without the cleanup of Python and grpc, which takes as long as a rating.

    All files must be written and closed.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # stderr may fail too, so the error cannot be reported
            stream.flush()
    os._exit(exit_code)
