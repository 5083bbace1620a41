"""In an empty Debian a listener installs the program, systemd starts it, and it does its main job.

`ANAGNORISIS_RELEASES` names Debian releases, separated by spaces: `bookworm trixie`. For each
release and way in, a row of the table in `docs/installing.md` is printed. It needs root,
debootstrap, a Debian mirror and the package index, and uses nothing but the files of `make dist`.
"""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.install.test_base_install import MAX_DOWNLOADED, MAX_ON_DISK, MEGABYTE
from tests.support.machine import Machine, booted_release
from tests.support.service import UNIT, Service
from tests.support.songs import make_songs
from tools import dist

RELEASES = os.environ.get("ANAGNORISIS_RELEASES", "").split()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not RELEASES, reason="ANAGNORISIS_RELEASES names no Debian release"),
    pytest.mark.parametrize("release", RELEASES),
]

DEBIAN = "systemd,systemd-sysv,dbus,libpam-systemd,procps,ca-certificates,python3,mpd,mpc"
WITH_PIPX = f"{DEBIAN},pipx"

EPOCH = 1_700_000_000
TRACKS = 40
REPEATS = 15
"""That often, a song of twelve seconds is a track of three minutes."""

RATED = 12
LISTENER = "listener"

DIST, MUSIC = "/opt/dist", "/srv/music"
SOCKET = "/run/user/1000/mpd/socket"
OWN_MPD = f"""\
music_directory "~/Music"
db_file "~/mpd.db"
sticker_file "~/sticker.sql"
bind_to_address "{SOCKET}"
"""
NO_SOUND_CARD = 'audio_output {\n  type "null"\n  name "silence"\n}\n'


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of `make dist`."""
    assert list(dist.ROOT.glob(dist.WEIGHTS)), "the weights of musicnn are missing: make setup"
    folder = _readable(tmp_path_factory.mktemp("dist"))
    dist.build(folder, EPOCH)
    return folder


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of three minutes, of two kinds of music."""
    folder = _readable(tmp_path_factory.mktemp("music"))
    make_songs(folder, TRACKS // 2, REPEATS)
    return folder


def test_a_listener_installs_it_by_pipx(release: str, archives: Path, music: Path) -> None:
    binds = {archives: DIST, music: MUSIC}
    with booted_release(release, WITH_PIPX, binds, network=True) as machine:
        machine.run("useradd", "--create-home", LISTENER)
        machine.run("loginctl", "enable-linger", LISTENER)
        # For the certificate of a mirror or proxy of this host.
        machine.write("/etc/pip.conf", "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        service = Service(machine, LISTENER)
        machine.until(lambda: service.ctl("is-system-running", code=None) == "running\n")
        _start_own_mpd(service)
        (wheel,) = archives.glob("anagnorisisd-*.whl")
        # pipx has no option that tells pip to log what it downloads.
        pip = f"--find-links {DIST} --no-cache-dir --log /tmp/pip.log"

        started = time.monotonic()
        machine.run("pipx", "install", f"--pip-args={pip}", f"{DIST}/{wheel.name}", user=LISTENER)
        installed = time.monotonic() - started
        machine.run("anagnorisisd", "install", user=LISTENER)
        service.ctl("enable", "--now", UNIT)
        _do_main_job(service, SOCKET)
        seconds = time.monotonic() - started

        log = machine.file("/tmp/pip.log").read_text()
        downloaded = sum(map(_bytes, re.findall(r"Downloading \S+ \(([\d.]+ [kM]?B)\)", log)))
        on_disk = _disk_usage(machine, f"/home/{LISTENER}")
        _print_row(machine, "pipx", downloaded, on_disk, installed, seconds)
    assert 10 * MEGABYTE < downloaded < MAX_DOWNLOADED
    assert 10 * MEGABYTE < on_disk < MAX_ON_DISK


def test_root_installs_the_debian_package(
    release: str, archives: Path, music: Path, tmp_path: Path
) -> None:
    package = _build_package(release, archives, tmp_path)
    with booted_release(
        release, DEBIAN, {tmp_path: "/opt/deb", music: "/var/lib/mpd/music"}
    ) as machine:
        with machine.file("/etc/mpd.conf").open("a") as config:
            config.write(NO_SOUND_CARD)
        machine.run("systemctl", "restart", "mpd")
        machine.run("mpc", "--wait", "update")
        service = Service(machine, "root")

        started = time.monotonic()
        machine.run("apt-get", "install", "--yes", f"/opt/deb/{package.name}")
        installed = time.monotonic() - started
        _do_main_job(service, "localhost")
        seconds = time.monotonic() - started

        downloaded = package.stat().st_size
        places = ["/opt/anagnorisis", "/var/lib/private/anagnorisis"]
        on_disk = sum(_disk_usage(machine, place) for place in places)
        _print_row(machine, "Debian package", downloaded, on_disk, installed, seconds)
    assert 10 * MEGABYTE < downloaded < MAX_DOWNLOADED
    assert 10 * MEGABYTE < on_disk < MAX_ON_DISK


def _readable(folder: Path) -> Path:
    folder.chmod(0o755)  # pytest makes folders for one user only
    return folder


def _build_package(release: str, archives: Path, target: Path) -> Path:
    """Build the package of a release with the Python of that release, and return its path."""
    binds = {archives: DIST, dist.ROOT: "/opt/source"}
    with booted_release(release, WITH_PIPX, binds, network=True) as machine:
        machine.write("/etc/pip.conf", "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        machine.run("cp", "-r", DIST, "/root/dist")
        machine.run(
            "env", "--chdir=/opt/source", f"SOURCE_DATE_EPOCH={EPOCH}", "PYTHONDONTWRITEBYTECODE=1",
            "/usr/bin/python3", "-m", "tools.deb", "/root/dist",
        )  # fmt: skip
        (package,) = machine.file("/root/dist").glob("*.deb")
        return Path(shutil.copy(package, target))


def _start_own_mpd(service: Service) -> None:
    """Start an MPD in the listener's session, as Debian's unit does."""
    home = f"/home/{LISTENER}"
    service.machine.write(f"{home}/.config/mpd/mpd.conf", OWN_MPD + NO_SOUND_CARD)
    service.machine.run("chown", "-R", f"{LISTENER}:", home)
    service.machine.run("mkdir", f"{home}/Music", Path(SOCKET).parent, user=LISTENER)
    service.machine.run("mount", "--bind", MUSIC, f"{home}/Music")
    service.ctl("start", "mpd.service")
    service.machine.run("mpc", "--host", SOCKET, "--wait", "update", user=LISTENER)


def _do_main_job(service: Service, socket: str) -> None:
    """Wait until all tracks are embedded, rate some, train, and wait for picks in the queue."""

    def mpc(*words: str) -> str:
        return service.machine.run("mpc", "--host", socket, *words, user=service.user)

    service.machine.until(lambda: service.embedded(TRACKS))
    (status,) = service.client("status")
    assert "musicnn" in str(status)
    for number in range(RATED):
        service.client("rate", "2" if number % 2 else "9", f"song {number:02}.flac")
    service.client("train")
    assert service.client("evaluators")
    mpc("add", f"song {RATED:02}.flac")
    mpc("play")
    service.machine.until(lambda: len(mpc("playlist").splitlines()) > 3)


def _disk_usage(machine: Machine, place: str) -> int:
    options = ["--summarize", "--exclude=Music", "--block-size=1K"]
    return 1024 * int(machine.run("du", *options, place).split()[0])


def _bytes(size: str) -> float:
    number, unit = size.split()
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit]


def _print_row(
    machine: Machine, way: str, downloaded: float, on_disk: int, installed: float, seconds: float
) -> None:
    system = machine.run("sh", "-c", ". /etc/os-release; echo $NAME $VERSION_ID").strip()
    python = machine.run("python3", "--version").split()[1]
    architecture = machine.run("dpkg", "--print-architecture").strip()
    print(
        f"\n| {way} | {system.replace(' GNU/Linux', '')} | {python} | {architecture} "
        f"| {downloaded / MEGABYTE:.0f} MB | {on_disk / MEGABYTE:.0f} MB "
        f"| {installed:.0f} s | {seconds:.0f} s |"
    )
