"""The lock of the state directory: whoever holds it is the only one to use what lies there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from anagnorisisd.errors import AlreadyRunning, StoreError


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Make the directory `state` if need be, and hold its lock; the kernel frees it if we die.

    Raises:
        AlreadyRunning: a daemon holds it.
        StoreError: the directory cannot be made or written.
    """
    lock = filelock.FileLock(state / "lock", blocking=False, mode=0o600)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise AlreadyRunning(
            f"another daemon is already running with the state in {state}; "
            "stop it, or set state.directory to another folder"
        ) from None
    except OSError as error:
        raise StoreError(
            f"state.directory: {state}: {error.strerror}; make it writable, or set another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
