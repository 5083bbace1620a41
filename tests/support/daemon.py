"""A real daemon in a process of its own, seen through its socket."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc

from anagnorisis.v1 import (
    daemon_pb2,
    daemon_pb2_grpc,
    evaluator_pb2_grpc,
    library_pb2_grpc,
    pick_pb2_grpc,
    playback_pb2_grpc,
    rating_pb2_grpc,
)

Value = TypeVar("Value")
ROOT = Path(__file__).parents[2]


class RunningDaemon:
    """Starts `anagnorisisd` on a music folder and an MPD, with all else below `home`.

    `program` is what stands in for it: a module and its first arguments. `executable` is the
    script of an installed daemon that is started instead.
    """

    def __init__(
        self,
        home: Path,
        music: Path,
        mpd: Path,
        settings: str = "",
        program: Sequence[str] = ("anagnorisisd",),
        executable: Path | None = None,
    ) -> None:
        self.home = home
        self._command = [executable] if executable else [sys.executable, "-m", *program]
        # Where the source lies is on the path of a module, and must not be on that of a script.
        self._cwd = home if executable else ROOT
        self.socket = home / "run" / "daemon.sock"
        self.log = home / "daemon.log"
        self._config = home / "config.yaml"
        home.mkdir(parents=True, exist_ok=True)
        self._places = (
            f"music:\n  directory: {music}\n"
            f"mpd:\n  address: {mpd}\n"
            f"state:\n  directory: {home / 'state'}\n"
            f"rpc:\n  socket: {self.socket}\n"
        )
        self.configure(settings)
        self.process = self._start()
        self.channel = self._connect()

    def configure(self, settings: str) -> None:
        """Write its configuration; places stay as they are."""
        self._config.write_text(self._places + settings)

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self._command, "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cwd,
                env={**os.environ, "XDG_CONFIG_HOME": str(self.home / "config")},
            )

    def _connect(self) -> grpc.Channel:
        channel = grpc.insecure_channel(
            f"unix:{self.socket}",
            options=[
                ("grpc.max_reconnect_backoff_ms", 100),
                # Else it is given the connection to the daemon that was killed before.
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self.rating = rating_pb2_grpc.RatingServiceStub(channel)
        self.library = library_pb2_grpc.LibraryServiceStub(channel)
        self.pick = pick_pb2_grpc.PickServiceStub(channel)
        self.evaluator = evaluator_pb2_grpc.EvaluatorServiceStub(channel)
        self.playback = playback_pb2_grpc.PlaybackServiceStub(channel)
        self.daemon = daemon_pb2_grpc.DaemonServiceStub(channel)
        return channel

    def status(self) -> daemon_pb2.GetStatusResponse:
        """Return what the daemon says of itself, waiting until it answers at all."""
        return self.daemon.GetStatus(daemon_pb2.GetStatusRequest(), wait_for_ready=True, timeout=30)

    def until(self, what: Callable[[], Value], seconds: float = 180.0) -> Value:
        """Return the first true value of `what`; fail with the daemon's log after `seconds`.

        Workers have the lowest priority: they take minutes on a busy machine.
        """
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(grpc.RpcError):
                if found := what():
                    return found
            assert self.process.poll() is None, f"the daemon left:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"not in time:\n{self.log.read_text()}"
            time.sleep(0.05)

    def restart(self) -> None:
        """Start it again over the same state."""
        self.channel.close()
        self.process = self._start()
        self.channel = self._connect()

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(90)
        self.channel.close()
        return code


@contextlib.contextmanager
def running_daemon(*args: Any, **kwargs: Any) -> Iterator[RunningDaemon]:
    """Run a daemon and make sure that it is gone afterwards."""
    daemon = RunningDaemon(*args, **kwargs)
    try:
        yield daemon
    finally:
        if daemon.process.poll() is None:
            daemon.kill()
        daemon.channel.close()
