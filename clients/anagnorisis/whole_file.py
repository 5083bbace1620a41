"""Files that are there whole or not at all."""

import os
from collections.abc import Iterable
from contextlib import suppress

from anagnorisis.failure import Failed


def write(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file that nobody else may read; what it held before stays until it is whole.

    Raises:
        Failed: it cannot be written.
    """
    part = f"{path}.part"
    try:
        _write(part, pieces)
        os.replace(part, path)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(part)


def _write(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file and have it on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
