"""Leaving the program without delay."""

import os
import sys
from typing import NoReturn


def leave(exit_code: int) -> NoReturn:
    """End the program at once.

    Everything is written and closed by now; taking Python and grpc apart in good order would take
    as long as a rating does.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
