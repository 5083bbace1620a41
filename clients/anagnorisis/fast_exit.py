"""Leaving the program without delay."""

import os
import sys
from contextlib import suppress
from typing import NoReturn


def leave(exit_code: int) -> NoReturn:
    """End the program at once.

    Everything is written and closed by now; taking Python and grpc apart in good order would take
    as long as a rating does.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody is left who could be told
            stream.flush()
    os._exit(exit_code)
