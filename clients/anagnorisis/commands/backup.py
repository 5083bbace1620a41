"""Command `backup`."""

import json
from argparse import Namespace

from anagnorisis import atomic_write
from anagnorisis.connection import connected
from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub


def backup(arguments: Namespace) -> None:
    """Write a backup of the database; the old file stays until the backup is complete."""
    with connected(arguments) as channel:
        responses = DaemonServiceStub(channel).CreateBackup(messages.CreateBackupRequest())
        atomic_write.write(arguments.file, (response.chunk for response in responses))
    if atomic_write.is_standard_output(arguments.file):
        return
    if arguments.json:
        print(json.dumps({"file": arguments.file}))
    else:
        print(f"backup written to {arguments.file}")
