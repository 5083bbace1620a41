"""An MPD of our own, for listeners who have none that plays the chosen folder."""

import os
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from anagnorisis.mpd_address import Address
from tools.console import GiveUp
from tools.foreground_run.mpd_greeting import greets

START_SECONDS, STOP_SECONDS, POLL_SECONDS = 15.0, 5.0, 0.05
MAX_SOCKET_PATH_BYTES = 107

CONFIG = """\
# Written by `make run` at every start.
music_directory "{music}"
playlist_directory "{home}/playlists"
state_file "{home}/state"
sticker_file "{home}/stickers.sqlite"
bind_to_address "{socket}"
zeroconf_enabled "no"
auto_update "yes"
database {{
    plugin "simple"
    path "{home}/database"
}}
input {{
    plugin "curl"
    enabled "no"
}}
audio_output {{
    type "{output}"
    name "{output}"
    mixer_type "{mixer}"
}}
"""


@contextmanager
def running(music: Path, homes: Path, variables: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Run an MPD for `music`, its files below `homes`; yields its socket and its kind of output.

    Each music folder has a home of its own, so that queue and stickers fit what is played.

    Raises:
        GiveUp: it does not start; with MPD's own reason.
    """
    home = homes / f"{zlib.crc32(os.fsencode(music)):08x}"
    (home / "playlists").mkdir(parents=True, exist_ok=True)
    socket, output = _socket(home), sound_output(variables)
    config = home / "mpd.conf"
    config.write_text(
        CONFIG.format(
            music=_quoted(music), home=_quoted(home), socket=_quoted(socket), output=output,
            mixer="null" if output == "null" else "software",
        ),
        errors="surrogateescape",
    )  # fmt: skip
    # In a session of its own: Ctrl-C is for the daemon, which takes its leave of MPD first.
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            ["mpd", "--no-daemon", "--stderr", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(process, socket, home / "log")
        yield socket, output
    finally:
        _stop(process)
        socket.unlink(missing_ok=True)


def sound_output(variables: Mapping[str, str], devices: Path = Path("/dev/snd")) -> str:
    """Return MPD's output plugin for the sound system that is there, `null` where none is."""
    runtime = Path(variables.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    if (runtime / "pipewire-0").exists():
        return "pipewire"
    if variables.get("PULSE_SERVER") or (runtime / "pulse" / "native").exists():
        return "pulse"
    if any(os.access(device, os.W_OK) for device in devices.glob("pcm*p")):
        return "alsa"
    return "null"


def _socket(home: Path) -> Path:
    socket = home / "socket"
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
        return socket
    return Path(tempfile.mkdtemp(prefix="anagnorisis-")) / "socket"


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _wait(process: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not greets(Address(str(socket))):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise GiveUp(f"MPD does not start: {lines[-1]} (see {log})")
        time.sleep(POLL_SECONDS)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
