"""The lock of the state directory: whoever holds it is the only one to use what lies there."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock

from anagnorisisd.errors import AlreadyRunning, StoreError, StoreFull, StoreUnwritable


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Make the directory `state` if need be, and hold its lock; the kernel frees it if we die.

    The directory itself is locked too: its lock file may be removed by hand.

    Raises:
        AlreadyRunning: a daemon holds it.
        StoreError: the directory cannot be made or written.
    """
    with ExitStack() as stack:
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(state / "lock", blocking=False, mode=0o600)
            stack.enter_context(lock)
            stack.enter_context(_locked(state))
        except (filelock.Timeout, BlockingIOError):
            raise AlreadyRunning(
                f"another daemon is already running with the state in {state}; "
                "stop it, or set state.directory to another folder"
            ) from None
        except OSError as error:
            raise _refusal(error)(
                f"state.directory: {state}: {error.strerror};"
                " make it writable, or set another folder"
            ) from error
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # Network shares lock no folders; the lock file has to do there.
        yield
    finally:
        os.close(descriptor)


def _refusal(error: OSError) -> type[StoreError]:
    return StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreUnwritable
