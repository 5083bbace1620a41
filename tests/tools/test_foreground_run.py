"""`make run` on machines with and without music, and with and without an MPD."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from anagnorisis.mpd_address import Address
from tools.console import GiveUp
from tools.demo import library
from tools.foreground_run import existing_mpd, mpd_conf, music, private_mpd
from tools.foreground_run.mpd_greeting import greets

pytestmark = pytest.mark.slow

FORMATS = ("mp3", "flac", "opus")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A music folder with one real song in a sub-folder."""
    song = next(library.songs())
    target = tmp_path / "music" / song.path
    target.parent.mkdir(parents=True)
    library.encode(song, target)
    return tmp_path / "music"


@pytest.fixture
def running(folder: Path, tmp_path: Path) -> Iterator[Path]:
    with private_mpd.running(folder, tmp_path / "homes", {"XDG_RUNTIME_DIR": "/absent"}) as (
        socket,
        _,
    ):
        yield socket


def test_requested_music_directory_is_used(folder: Path, tmp_path: Path) -> None:
    assert music.choose(str(folder), [], FORMATS, tmp_path / "demo") == music.Music(folder)


def test_the_first_usual_folder_with_audio_is_taken(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "cover.jpg").touch()
    usual = [tmp_path / "absent", tmp_path / "empty", folder]

    assert music.choose(None, usual, FORMATS, tmp_path / "demo") == music.Music(folder)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [("absent", "is not a folder"), ("empty", "holds no audio"), ("file", "is not a folder")],
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, asked: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(GiveUp, match=reason):
        music.choose(str(tmp_path / asked), [], FORMATS, tmp_path / "demo")


def test_a_complete_demo_library_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for song in library.songs():
        (tmp_path / song.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / song.path).touch()

    chosen = music.choose(None, [], FORMATS, tmp_path)

    assert chosen == music.Music(tmp_path, demo=True)
    assert "Making" not in capsys.readouterr().out


def test_an_mpd_that_plays_from_the_folder_is_the_listeners(folder: Path, running: Path) -> None:
    found = existing_mpd.find(str(running), {})

    assert found is not None
    assert found.music_directory == folder
    assert found.plays_from(folder, FORMATS)
    assert found.plays_from(folder / "Slow Tide", FORMATS)
    assert not found.plays_from(folder.parent, FORMATS)
    found.close()


def test_unknown_music_directory_of_mpd(folder: Path, running: Path, tmp_path: Path) -> None:
    found = existing_mpd.find(str(running), {})
    assert found is not None
    subprocess.run(["mpc", f"--host={running}", "--wait", "-q", "update"], check=True)
    found.music_directory = None

    assert found.plays_from(folder, FORMATS)
    assert not found.plays_from(tmp_path / "homes", FORMATS)
    found.close()


class _Mpd024(socketserver.StreamRequestHandler):
    """The greeting of MPD 0.24 and its answer to `config`."""

    def handle(self) -> None:
        self.wfile.write(b"OK MPD 0.24.0\n")
        for line in self.rfile:
            if line == b"config\n":
                self.wfile.write(
                    b"music_directory: /srv/a: b\nplaylist_directory: /srv/lists\npcre: 1\nOK\n"
                )


def test_music_directory_of_mpd_0_24(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    with socketserver.ThreadingUnixStreamServer(str(address), _Mpd024) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        found = existing_mpd.find(str(address), {})
        assert found is not None
        found.close()
        server.shutdown()
        serving.join()

    assert found.music_directory == Path("/srv/a: b")


def test_the_music_of_an_mpd_that_does_not_tell_it_is_found_in_its_configuration(
    folder: Path, running: Path, tmp_path: Path
) -> None:
    """As over TCP, where MPD refuses the command `config`."""
    found = existing_mpd.find(str(running), {})
    assert found is not None
    subprocess.run(["mpc", f"--host={running}", "--wait", "-q", "update"], check=True)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(next(folder.rglob("*.flac")), other / "unknown to MPD.flac")

    assert found.find_music([other], FORMATS) == folder
    found.music_directory = None
    assert found.find_music([tmp_path / "absent", other], FORMATS) is None
    assert found.find_music([other, folder], FORMATS) == folder
    found.close()


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        ('music_directory "/srv/music"', "/srv/music"),
        ("\tmusic_directory\t'/srv/music'  # all of it", "/srv/music"),
        (r'music_directory "/srv/\"quoted\" \\ # music"', r'/srv/"quoted" \ # music'),
        ('#music_directory "/a"\nmusic_directory "/b"\nmusic_directory_x "/c"', "/b"),
        ('playlist_directory "/srv/lists"', None),
        ('music_directory "/srv', None),
        ("music_directory", None),
    ],
)
def test_a_music_directory_is_read_from_mpd_conf(text: str, directory: str | None) -> None:
    assert mpd_conf.music_directory(text) == directory


def test_the_configurations_of_mpd_are_looked_for_where_mpd_does(tmp_path: Path) -> None:
    written = {
        ".config/mpd/mpd.conf": 'music_directory "~/Songs"',
        ".mpdconf": "music_directory nfs://host/music",
        ".mpd/mpd.conf": 'music_directory "/one"',
        "system.conf": 'music_directory "~"',
    }
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def found(**variables: str) -> list[Path]:
        told = {"HOME": str(tmp_path), **variables}
        return list(mpd_conf.music_directories(told, tmp_path / "system.conf"))

    assert found() == [tmp_path / "Songs", Path("/one"), tmp_path]
    assert found(XDG_CONFIG_HOME=str(tmp_path / "absent")) == [Path("/one"), tmp_path]


def test_an_mpd_that_refuses_our_password_is_not_ours(running: Path) -> None:
    assert existing_mpd.find(f"wrong@{running}", {}) is None


def test_an_mpd_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert existing_mpd.find(str(tmp_path / "absent"), {}) is None


def test_private_mpd_ends_with_the_run(folder: Path, tmp_path: Path) -> None:
    with private_mpd.running(folder, tmp_path / "homes", {}) as (socket, _):
        assert greets(Address(str(socket)))

    assert not greets(Address(str(socket)))
    assert not socket.exists()


def test_a_deep_folder_still_gets_a_socket(folder: Path, tmp_path: Path) -> None:
    homes = tmp_path / ("deep" * 30)

    with private_mpd.running(folder, homes, {}) as (socket, _):
        assert greets(Address(str(socket)))


def test_error_of_a_private_mpd_that_does_not_start(folder: Path, tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    with private_mpd.running(folder, homes, {}):
        home = next(homes.iterdir())
    (home / "stickers.sqlite").unlink()
    (home / "stickers.sqlite").mkdir()

    with (
        pytest.raises(GiveUp, match=r"MPD does not start: .*stickers"),
        private_mpd.running(folder, homes, {}),
    ):
        pass


@pytest.mark.parametrize(
    ("made", "variables", "output"),
    [
        ("pipewire-0", {}, "pipewire"),
        ("pulse/native", {}, "pulse"),
        ("nothing", {"PULSE_SERVER": "tcp:studio"}, "pulse"),
        ("dev/pcmC0D0p", {}, "alsa"),
        ("dev/pcmC0D0c", {}, "null"),
    ],
)
def test_the_sound_system_that_is_there_is_used(
    tmp_path: Path, made: str, variables: dict[str, str], output: str
) -> None:
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).touch()
    variables = {"XDG_RUNTIME_DIR": str(tmp_path), **variables}

    assert private_mpd.sound_output(variables, tmp_path / "dev") == output


STAND_IN = """
import os, signal, sys
print("daemon", *sys.argv[1:], os.environ.get("ANAGNORISIS_PICKS__START_PLAYBACK"), flush=True)
signal.pause()
"""


def start_run(home: Path, stderr: int | None = None, **variables: str) -> "subprocess.Popen[str]":
    """Start the run with a stand-in for the daemon, which says what it was given and waits."""
    stand_in = home / "anagnorisisd"
    stand_in.write_text(f"#!{sys.executable}\n{STAND_IN}")
    stand_in.chmod(0o755)
    script = (
        "from pathlib import Path; from tools import run; "
        f"run.RUN = Path({str(home)!r}); run.DAEMON = {str(stand_in)!r}; "
        "from tools.console import guarded; guarded(run.main)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # A path in a test's folder may be too long for a socket.
        env={**kept, "HOME": str(home), "ANAGNORISIS_RPC__SOCKET": "/absent/socket", **variables},
    )


def read_lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    """Read lines but that of the web page, which comes when the page is ready."""
    assert process.stdout is not None
    others = (line for line in process.stdout if not line.startswith("Page: "))
    return list(itertools.islice(others, count))


def test_running_mpd_and_its_music_are_the_default(
    folder: Path, running: Path, tmp_path: Path
) -> None:
    """Though there is music in the folder of the desktop, too."""
    (tmp_path / "Music").mkdir()
    shutil.copy(next(folder.rglob("*.flac")), tmp_path / "Music")
    process = start_run(tmp_path, MPD_HOST=str(running))

    lines = read_lines(process, 3)
    process.terminate()
    process.communicate(timeout=90)

    assert lines == [
        f"Music: {folder}\n",
        f"MPD:   yours, at {running}\n",
        f"daemon run --music {folder} None\n",
    ]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_the_daemon_and_its_mpd_end_with_the_run(
    folder: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    process = start_run(tmp_path, MUSIC=str(folder), MPD_HOST=str(tmp_path / "absent"))
    lines = read_lines(process, 3)
    control = lines[1].split("control it with: ")[1].split()
    controlled = subprocess.run([*control, "status"], capture_output=True, check=False)

    process.send_signal(ending)
    process.communicate(timeout=90)

    socket = lines[2].split("--mpd ")[1].split()[0]
    assert lines[0] == f"Music: {folder}\n"
    assert lines[1].startswith("MPD:   our own, ")
    assert controlled.returncode == 0, controlled.stderr
    assert lines[2].startswith(f"daemon run --music {folder} --mpd ")
    assert lines[2].endswith(" true\n")
    assert process.returncode == 0
    assert not greets(Address(socket))


def test_the_page_is_served_beside_the_daemon(running: Path, tmp_path: Path) -> None:
    """On its usual port or, as here, on any that is free; it ends with the daemon."""
    taken = contextlib.suppress(OSError)  # then somebody else has it, which is as good
    with contextlib.ExitStack() as stack:
        with taken:
            stack.enter_context(socket.create_server(("127.0.0.1", 6610)))
        process = start_run(tmp_path, MPD_HOST=str(running))
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, 4))
        url = next(line for line in lines if line.startswith("Page: ")).split()[1]
        assert url != "http://127.0.0.1:6610/"
        answer = httpx.get(url)
        process.terminate()
        process.communicate(timeout=90)

    assert "no daemon answers" in answer.text
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_without_the_packages_of_the_page_the_daemon_runs(running: Path, tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(name='uvicorn')")
    process = start_run(
        tmp_path, stderr=subprocess.PIPE, MPD_HOST=str(running), PYTHONPATH=str(tmp_path)
    )
    assert process.stderr is not None

    said = process.stderr.readline()
    lines = read_lines(process, 3)
    process.terminate()
    process.communicate(timeout=90)

    assert "pip install 'anagnorisis[web]'" in said
    assert lines[2].startswith("daemon run ")
    assert process.returncode == 0
