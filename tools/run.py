"""Runs daemon and web page in the foreground, with the music and MPD that are there: `make run`.

MUSIC=/path/to/music python -m tools.run
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import platformdirs

from anagnorisis_web.__main__ import DEFAULT_ADDRESS as PAGE_ADDRESS
from anagnorisisd.config import load, paths
from anagnorisisd.config.schema import Config
from anagnorisisd.errors import ConfigError
from tools import system_packages
from tools.console import GiveUp, guarded, say
from tools.foreground_run import existing_mpd, mpd_conf, music, private_mpd

ROOT = Path(__file__).resolve().parents[1]
DAEMON = str(Path(sys.executable).parent / "anagnorisisd")
RUN = ROOT / ".run"
"""Where what is only for trying lies: the demo library and all about it, the private MPD."""


def main() -> int:
    """Choose the music and the MPD, then run the daemon until it ends; return its exit code."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    config, where = _config()
    formats = config.music.formats
    found = existing_mpd.find(config.mpd.address, os.environ)
    chosen = music.choose(
        os.environ.get("MUSIC"), _usual(config, found), formats, RUN / "demo-music"
    )
    say(f"Music: {chosen.folder}")
    command = [
        DAEMON,
        "run",
        "--music",
        str(chosen.folder),
    ]
    if chosen.demo:
        command += ["--state", str(RUN / "demo-state")]
    with ExitStack() as stack:
        variables = dict(os.environ)
        if found and found.plays_from(chosen.folder, formats):
            say(f"MPD:   yours, at {found.address}")
        else:
            if found:
                say(f"MPD:   yours, at {found.address}, does not play from there; starting another")
            socket = stack.enter_context(_private_mpd(chosen.folder))
            command += ["--mpd", str(socket)]
            variables |= _lively(config)
        if found:
            found.close()
        return _foreground(command, variables, stack, where.socket)


def _config() -> tuple[Config, paths.Paths]:
    try:
        config = load.load({}, os.environ)
        return config, paths.resolve(config, os.environ)
    except ConfigError as error:
        raise GiveUp(str(error)) from error


def _usual(config: Config, found: existing_mpd.ListenersMpd | None) -> list[Path]:
    """Return where the listener's music is likely to lie, the likeliest first."""
    if config.music.directory:
        return [config.music.directory]
    usual = [platformdirs.user_music_path()]
    if found:
        configured = mpd_conf.music_directories(os.environ)
        if played := found.find_music(configured, config.music.formats):
            usual.insert(0, played)
    return usual


@contextmanager
def _private_mpd(folder: Path) -> Iterator[Path]:
    system_packages.ensure(["mpd", "mpc"])
    with private_mpd.running(folder, RUN / "mpd", os.environ) as (socket, output):
        sound = "without sound, as no output was found" if output == "null" else f"through {output}"
        say(f"MPD:   our own, {sound}; control it with: mpc --host={socket}")
        yield socket


def _lively(config: Config) -> Mapping[str, str]:
    """Let the daemon start our own MPD playing, unless the listener decided about that."""
    wanted = {"fill_empty_queue", "start_playback"} - config.picks.model_fields_set
    return {f"ANAGNORISIS_PICKS__{name.upper()}": "true" for name in wanted}


@contextmanager
def _page(daemon_socket: Path) -> Iterator[None]:
    """Serve the web page, which prints its address; without its packages it prints what to do."""
    host, _, port = PAGE_ADDRESS.partition(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError:
        port = "0"  # any that is free
    place = ["--socket", str(daemon_socket), "--listen", f"{host}:{port}"]
    page = subprocess.Popen([sys.executable, "-m", "anagnorisis_web", *place])
    try:
        yield
    finally:
        page.terminate()
        page.wait()


def _foreground(
    command: list[str], variables: Mapping[str, str], stack: ExitStack, daemon_socket: Path
) -> int:
    """Run the daemon until it ends, and end it when we are asked to go."""
    # Ctrl-C reaches every process of the terminal; the daemon is the one to act on it.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    daemon = subprocess.Popen(command, env=variables)
    try:
        stack.enter_context(_page(daemon_socket))
        return daemon.wait()
    finally:
        daemon.terminate()
        daemon.wait()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind everything that was started, on SIGTERM and on a closed terminal."""
    sys.exit(0)


if __name__ == "__main__":
    guarded(main)
