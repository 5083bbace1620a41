"""Locks: two daemons never share a state directory or a socket."""

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from anagnorisisd.errors import AlreadyRunning
from anagnorisisd.rpc.unix_socket import lock_socket
from anagnorisisd.storage import state_directory
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.daemon import ROOT
from tests.support.rpc import House, serving
from tests.support.until import until

pytestmark = pytest.mark.slow


def test_state_directory_is_locked_once(tmp_path: Path) -> None:
    with (
        state_directory.lock(tmp_path / "state"),
        pytest.raises(AlreadyRunning, match="another daemon is already running"),
        state_directory.lock(tmp_path / "state"),
    ):
        pass
    with state_directory.lock(tmp_path / "state"):
        pass


def test_state_directory_stays_locked_when_the_lock_file_is_removed(tmp_path: Path) -> None:
    with state_directory.lock(tmp_path / "state"):
        (tmp_path / "state" / "lock").unlink()

        with pytest.raises(AlreadyRunning), state_directory.lock(tmp_path / "state"):
            pass


def test_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path\n"
        "from anagnorisisd.storage import state_directory\n"
        f"with state_directory.lock(Path({str(tmp_path)!r})):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)

    with state_directory.lock(tmp_path):
        pass


async def test_socket_stays_reserved_when_the_lock_file_is_removed(
    stores: Stores, clock: FakeClock, tmp_path: Path
) -> None:
    path = tmp_path / "sock"
    async with serving(House.build(stores, clock), path):
        path.with_name("sock.lock").unlink()

        with (
            pytest.raises(AlreadyRunning, match="another daemon listens on"),
            lock_socket(path, 0o700),
        ):
            pass

        assert path.is_socket(), "the first one keeps it"


def test_directories_are_private_with_a_permissive_umask(tmp_path: Path) -> None:
    state, socket = tmp_path / "a" / "b" / "state", tmp_path / "c" / "d" / "daemon.sock"
    (tmp_path / "music").mkdir()
    config = tmp_path / "config.yaml"
    config.write_text(
        f"music:\n  directory: {tmp_path}/music\nmpd:\n  address: {tmp_path}/no-mpd\n"
        f"state:\n  directory: {state}\nrpc:\n  socket: {socket}\n"
    )
    command = [sys.executable, "-m", "anagnorisisd", "--config", str(config)]
    with subprocess.Popen(command, umask=0, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            asyncio.run(until(socket.is_socket, 60))
        finally:
            process.terminate()

    for folder in (state.parents[1], state.parent, state, socket.parents[1], socket.parent):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0, folder
