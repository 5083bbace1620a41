"""`backup`: a copy of all that the daemon knows, in a file."""

import os
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress

from anagnorisis.connection import Failed, connected
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub


def backup(arguments: Namespace) -> None:
    """Ask for a copy and write it; what was in the file before stays until the copy is whole."""
    part = f"{arguments.file}.part"
    try:
        with connected(arguments) as channel:
            answers = DaemonServiceStub(channel).BackUp(messages.BackUpRequest())
            _write(part, (answer.piece for answer in answers))
        os.replace(part, arguments.file)
    except OSError as error:
        raise Failed(f"{arguments.file} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(part)
    print(f"All that is known is now in {arguments.file} too.")


def _write(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file that nobody else may read, and have it on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
