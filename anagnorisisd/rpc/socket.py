"""Lock and permissions of the daemon's Unix socket."""

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
    """Hold a lock file beside `path`, and remove the socket at exit.

    The folder is created if it is missing. Without the lock, a second server would silently replace
    the socket of the first. The kernel releases the lock of a killed daemon.

    Raises:
        ConfigError: the folder cannot be created or written.
        AlreadyRunning: another daemon holds the lock.
    """
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"), blocking=False, mode=0o600)
    try:
        path.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        lock.acquire()
        if _has_listener(path):  # A daemon is running whose lock file was deleted.
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


def _has_listener(path: Path) -> bool:
    """Return whether a process listens on the socket; a stale socket refuses connections."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_SECONDS)
        try:
            client.connect(str(path))
        except (TimeoutError, BlockingIOError):
            return True  # The backlog of the listener is full.
        except OSError:
            return False
    return True


@contextmanager
def narrow(mode: int) -> Iterator[None]:
    """Set the umask so that sockets bound in this context have at most the permissions `mode`."""
    previous = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(previous)
