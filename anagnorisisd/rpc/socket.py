"""The Unix socket: ours alone, guarded by a lock, and gone when the daemon is."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from anagnorisisd.errors import AlreadyRunning, ConfigError

CONNECT_SECONDS = 1.0


@contextmanager
def reserved(path: Path, folder_mode: int) -> Iterator[None]:
    """Hold the lock beside `path`, in a folder made if missing, and leave no socket behind.

    A second server on the same path would silently steal it; the lock makes it say so instead.
    The kernel frees the lock of a daemon that was killed, so nothing has to be cleaned up.

    Raises:
        ConfigError: its folder cannot be used.
        AlreadyRunning: another daemon holds the lock.
    """
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"), blocking=False, mode=0o600)
    try:
        path.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        lock.acquire()
        if _answers(path):  # Its lock file was removed by hand.
            lock.release()
            raise filelock.Timeout(str(path))
    except filelock.Timeout:
        raise AlreadyRunning(
            f"another daemon listens on {path}; stop it, or set rpc.socket to another path"
        ) from None
    except OSError as error:
        raise ConfigError([f"rpc.socket: {path}: {error.strerror}"]) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def _answers(path: Path) -> bool:
    """Return whether somebody listens on the socket; one that was left behind refuses."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(CONNECT_SECONDS)
        try:
            caller.connect(str(path))
        except (TimeoutError, BlockingIOError):
            return True  # It is there, and busy.
        except OSError:
            return False
    return True


@contextmanager
def narrow(mode: int) -> Iterator[None]:
    """Let sockets that are bound meanwhile have no more rights than `mode`."""
    before = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(before)
