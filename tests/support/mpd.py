"""A private MPD in a folder of its own, without sound, and songs for it."""

import asyncio
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PACE = Path(__file__).with_name("pace.py")
RATE = 10
"""How many seconds of music the paced output plays in one second."""

SONG_RATE = 8_000

STARTER = ThreadPoolExecutor(1, thread_name_prefix="mpd")
"""Its thread lives as long as the tests: MPD 0.24 ends with the thread that started it."""

NULL = 'type "null"\n  sync "{sync}"'
PACED = f'type "pipe"\n  format "44100:16:2"\n  command "{sys.executable} {PACE} {{rate}}"'

CONFIG = """\
music_directory "{music}"
playlist_directory "{playlists}"
pid_file "{folder}/pid"
state_file "{folder}/state"
sticker_file "{folder}/sticker.sql"
bind_to_address "{socket}"
zeroconf_enabled "no"
audio_output_format "44100:16:2"
{extra}
database {{
  plugin "simple"
  path "{folder}/database"
}}
input {{
  plugin "curl"
  enabled "{streams}"
}}
audio_output {{
  name "silence"
  {output}
}}
"""


def write_songs(folder: Path, names: Sequence[str], seconds: float = 20.0) -> None:
    """Write small wav files, each with a tone of its own."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        time_axis = np.arange(int(seconds * SONG_RATE)) / SONG_RATE
        tone = np.sin(2 * np.pi * (110 + 37 * index) * time_axis) * 8_000
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SONG_RATE)
            out.writeframes(tone.astype("<i2").tobytes())


@dataclass
class Mpd:
    """A server that can be started, killed and restarted; `mpc` speaks to it as a listener."""

    folder: Path
    music: Path
    output: str = NULL.format(sync="yes")
    extra: str = ""
    streams: str = "no"
    program: Sequence[str] = ("mpd",)
    playlists: Path | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "socket"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        config = self.folder / "mpd.conf"
        config.write_text(
            CONFIG.format(
                music=self.music,
                folder=self.folder,
                playlists=self.playlists or self.folder,
                socket=self.socket,
                output=self.output,
                extra=self.extra,
                streams=self.streams,
            )
        )
        with (self.folder / "log").open("ab") as log:
            self._process = STARTER.submit(
                subprocess.Popen,
                [*self.program, "--no-daemon", "--stderr", str(config)],
                stdout=log,
                stderr=log,
            ).result()
        deadline = time.monotonic() + 60
        while not self.socket.exists() or self._mpc("version").returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.01)

    def _mpc(self, *arguments: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["mpc", "--host", str(self.socket), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def mpc(self, *arguments: str, seconds: float = 30.0) -> str:
        """Run mpc against this server and return what it prints; it has so many seconds."""
        done = self._mpc(*arguments, seconds=seconds)
        assert not done.returncode, f"mpc {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def knows(self, uri: str, sticker: str) -> bool:
        """Tell whether a file has a sticker of that name."""
        return not self._mpc("sticker", uri, "get", sticker).returncode

    async def ask(self, *arguments: str) -> str:
        """Run mpc without holding up the event loop."""
        return await asyncio.to_thread(self.mpc, *arguments)

    async def send(self, command: str) -> None:
        """Send a command of MPD's protocol, which takes a hundredth of the time of starting mpc."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            await reader.readline()
            writer.write(f"{command}\n".encode())
            answer = await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()
        assert answer == b"OK\n", f"{command}: {answer!r}"

    def kill(self) -> None:
        """End it without warning."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Ask it to end, so that it saves its state; a frozen one is woken first."""
        if self._process is None:
            return
        self._process.send_signal(18)
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def running(
    folder: Path, names: Sequence[str] = (), *, seconds: float = 20.0, **options: Any
) -> Iterator[Mpd]:
    """Start an MPD with songs of the given names in `folder/music`, and stop it at the end."""
    if shutil.which("mpd") is None or shutil.which("mpc") is None:
        pytest.fail("mpd and mpc are needed: apt-get install mpd mpc")
    music = folder / "music"
    music.mkdir(parents=True, exist_ok=True)
    write_songs(music, names, seconds)
    server = Mpd(folder / "mpd", music, **options)
    server.start()
    try:
        server.mpc("update", "--wait")
        yield server
    finally:
        server.stop()
