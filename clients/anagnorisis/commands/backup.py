"""`backup`: a copy of all that the daemon knows, in a file."""

import json
from argparse import Namespace

from anagnorisis import atomic_write
from anagnorisis.connection import connected
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub


def backup(arguments: Namespace) -> None:
    """Ask for a copy and write it; what was in the file before stays until the copy is whole."""
    with connected(arguments) as channel:
        answers = DaemonServiceStub(channel).CreateBackup(messages.CreateBackupRequest())
        atomic_write.write(arguments.file, (answer.chunk for answer in answers))
    if atomic_write.is_standard_output(arguments.file):
        return
    if arguments.json:
        print(json.dumps({"file": arguments.file}))
    else:
        print(f"backup written to {arguments.file}")
