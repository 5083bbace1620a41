"""A real systemd boots and runs the units as shipped: from wheels and from the Debian package."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wheels
from tests.support.machine import DEPENDENCIES, PYTHON, Machine, booted
from tests.support.mpd import Mpd, running, write_songs
from tests.support.service import UNIT, Service
from tests.support.songs import make_songs

SONGS_OF_EACH_KIND = 12
RATED_OF_EACH_KIND = 5
LONG_SONGS = [f"long/{number}.wav" for number in range(16)]
"""They keep the workers of the system's service busy for a while; a listener leaves them out."""

ALL = 2 * SONGS_OF_EACH_KIND + len(LONG_SONGS)

PROGRAM = "/opt/anagnorisis/bin/anagnorisisd"
MUSIC = 'music:\n  directory: /var/lib/mpd/music\n  exclude: ["long/*"]\n'
LISTENER, STRANGER = "listener", "stranger"

BUILD_PACKAGE = """\
from pathlib import Path
from tools import deb
wheels = sorted(Path("/opt/built/wheels").glob("*.whl"))
print(deb.build(Path("/root"), wheels, 1_700_000_000, ("--no-index", "--no-deps")))
"""
DATABASE = "/var/lib/private/anagnorisis/anagnorisis.db"
CONFIG = "/etc/anagnorisis/config.yaml"
PAGE, PAGE_URL = "anagnorisis-web.service", "http://127.0.0.1:6610/"

pytestmark = [pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def mpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mpd]:
    """An MPD outside of the machine; its socket and its music are bound in."""
    folder = tmp_path_factory.mktemp("mpd")
    make_songs(folder / "music", SONGS_OF_EACH_KIND)
    write_songs(folder / "music", LONG_SONGS, seconds=60.0)
    with running(folder) as server:
        yield server


@pytest.fixture(scope="module")
def machine(mpd: Mpd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with the wheels in `/opt/anagnorisis`, music, an MPD, and two people."""
    folder = tmp_path_factory.mktemp("wheels")
    built = wheels.build(folder)
    binds = {
        folder: "/opt/built",
        wheels.ROOT: "/opt/source",
        mpd.music: "/var/lib/mpd/music",
        mpd.folder: "/opt/mpd",
    }
    with booted(binds) as machine:
        machine.run("useradd", "--create-home", "--user-group", "--groups=audio", LISTENER)
        machine.run("useradd", "--create-home", "--user-group", STRANGER)
        install_wheels(machine, [f"/opt/built/wheels/{wheel.name}" for wheel in built])
        yield machine


def install_wheels(machine: Machine, names: list[str]) -> None:
    """Make the environment that `docs/service.md` speaks of; what we depend on is bound in."""
    python = next(Path(f"/proc/{machine.leader}/root{PYTHON}/bin").glob("python3.[0-9]*[0-9]")).name
    # It may have a library of its own, which is looked for where it was on the outside.
    machine.write("/etc/ld.so.conf.d/python.conf", f"{PYTHON}/lib\n")
    machine.run("ldconfig")
    machine.run(PYTHON / "bin" / python, "-m", "venv", "--without-pip", "/opt/anagnorisis")
    machine.write(
        f"/opt/anagnorisis/lib/{python}/site-packages/dependencies.pth", f"{DEPENDENCIES}\n"
    )
    # What is bound in knows another installation of ours.
    pip = ["/opt/anagnorisis/bin/python", "-m", "pip", "install", "--ignore-installed"]
    machine.run(*pip, "--quiet", "--no-index", "--no-deps", "--no-warn-script-location", *names)


def configuration(mpd: Mpd, more: str = "") -> str:
    """Return what both services are told; one worker, lest all is embedded before a test looks."""
    link = f"mpd:\n  address: /opt/mpd/socket\n  music_directory: {mpd.music}\n"
    return f"{link}embedding:\n  workers: 1\n{more}"


@pytest.fixture(scope="module")
def system(machine: Machine, mpd: Mpd) -> Service:
    """The system service, installed and started."""
    said = machine.run(PROGRAM, "install", "--system")
    assert "systemctl enable --now anagnorisis" in said
    machine.write("/etc/anagnorisis/config.yaml", configuration(mpd))
    # As docs/service.md has it for those who may rate; and nobody waits for five seconds here.
    drop_in = "[Service]\nGroup=audio\nRestartSec=100ms\n"
    machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", drop_in)
    service = Service(machine, "root")
    service.ctl("daemon-reload")
    service.ctl("enable", "--now", UNIT)
    return service


def test_unit_is_active_once_the_daemon_answers(system: Service) -> None:
    assert system.show("ActiveState") == "active"
    assert system.ctl("is-enabled", UNIT).strip() == "enabled"
    assert "library" in system.client("status")[0]


def test_clean_stop_during_embedding(system: Service) -> None:
    system.machine.until(lambda: system.library()["embedded"] > 0)
    assert not system.embedded(ALL)

    system.ctl("stop", UNIT)  # what does not end in time is killed, and then the result is another

    assert (system.show("Result"), system.show("ExecMainStatus")) == ("success", "0")
    system.ctl("start", UNIT)


def test_embedding_training_and_picking_within_the_sandbox(system: Service, mpd: Mpd) -> None:
    status = system.machine.run("cat", f"/proc/{system.pid}/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split()[0] != "0"
    assert (facts["NoNewPrivs"], facts["Seccomp"], int(facts["CapBnd"], 16)) == ("1", "2", 0)

    system.machine.until(lambda: system.embedded(ALL))
    for number in range(2 * RATED_OF_EACH_KIND):
        system.client("rate", "2" if number % 2 else "9", f"song {number:02}.flac")
    system.client("train")
    mpd.mpc("add", "song 20.flac")
    mpd.mpc("play")

    assert system.client("evaluators")
    system.machine.until(lambda: len(mpd.mpc("playlist").splitlines()) > 3)
    mpd.mpc("clear")
    warnings = system.machine.run("journalctl", "--quiet", "-p", "warning", "-u", UNIT)
    assert warnings == ""


def test_only_its_group_may_rate(system: Service) -> None:
    places = ["/run/anagnorisis", "/run/anagnorisis/anagnorisisd.sock"]
    rights = system.machine.run("stat", "--format=%a %G", *places).splitlines()
    rate = ["anagnorisis", "--socket", places[1], "rate", "7", "song 21.flac"]

    assert rights == ["750 audio", "660 audio"]
    system.machine.run(*rate, user=LISTENER)
    assert "no daemon answers" in system.machine.run(*rate, user=STRANGER, code=69)


def test_a_kill_costs_no_rating(system: Service) -> None:
    before = system.pid
    system.client("rate", "8.5", "song 22.flac")
    system.client("rate", "1.5", "song 23.flac")

    system.machine.run("kill", "-KILL", before)

    system.machine.until(lambda: system.back(before))
    newest = system.client("ratings")[:2]
    assert [entry["value"] for entry in newest] == [1.5, 8.5]


def test_hung_daemon_is_restarted_by_the_watchdog(system: Service) -> None:
    drop_in = f"/etc/systemd/system/{UNIT}.d/watchdog.conf"
    system.machine.write(drop_in, "[Service]\nWatchdogSec=6s\n")
    system.ctl("daemon-reload")
    system.ctl("restart", UNIT)
    before = system.pid

    system.machine.run("kill", "-STOP", before)

    system.machine.until(lambda: system.back(before))
    journal = system.machine.run("journalctl", "--quiet", "-u", UNIT)
    assert "Watchdog timeout" in journal
    system.machine.run("rm", drop_in)
    system.ctl("daemon-reload")
    system.ctl("restart", UNIT)


def test_reload_of_a_valid_and_an_invalid_configuration(system: Service, mpd: Mpd) -> None:
    before = system.pid
    path = "/etc/anagnorisis/config.yaml"
    system.machine.write(path, configuration(mpd, "picks:\n  ahead: 5\nrpc:\n  socket: /x\n"))

    system.ctl("reload", UNIT)

    system.machine.until(lambda: "now picks.ahead = 5" in system.show("StatusText"))
    assert "only a restart applies rpc.socket" in system.show("StatusText")
    system.machine.write(path, configuration(mpd, "picks:\n  ahead: many\n"))
    system.ctl("reload", UNIT, code=1)
    assert system.show("ActiveState") == "active"
    assert system.pid == before
    journal = system.machine.run("journalctl", "--quiet", "-u", UNIT)
    assert f'{path}:7:10: picks.ahead: "many" is not a whole number' in journal
    system.machine.write(path, configuration(mpd))


def test_the_doctor_sees_the_unit(system: Service) -> None:
    findings = json.loads(system.machine.run("anagnorisisd", "doctor", "--json", code=None))
    (unit,) = [found for found in findings if found["subject"] == "unit"]

    assert unit["severity"] == "fine"
    assert "anagnorisis.service (system) is active" in unit["message"]


def test_removing_it_leaves_what_was_learnt(system: Service) -> None:
    said = system.machine.run("anagnorisisd", "uninstall", "--system")

    assert "  /var/lib/anagnorisis\n" in said
    assert system.show("LoadState") == "not-found"
    system.machine.run("test", "-s", "/var/lib/anagnorisis/anagnorisis.db")


@pytest.fixture(scope="module")
def own(machine: Machine, mpd: Mpd) -> Service:
    """The service of a listener, whose user manager runs without a session."""
    machine.run("loginctl", "enable-linger", LISTENER)
    service = Service(machine, LISTENER)
    machine.until(lambda: service.ctl("is-system-running", code=None) == "running\n")
    machine.run(PROGRAM, "install", user=LISTENER)
    machine.write(f"/home/{LISTENER}/.config/anagnorisis/config.yaml", configuration(mpd, MUSIC))
    service.ctl("enable", "--now", UNIT)
    return service


def test_user_unit_embeds_and_trains(own: Service) -> None:
    assert own.show("ActiveState") == "active"
    own.machine.until(lambda: own.embedded(2 * SONGS_OF_EACH_KIND))

    for number in range(2 * RATED_OF_EACH_KIND):
        own.client("rate", "2" if number % 2 else "9", f"song {number:02}.flac")
    own.client("train")

    assert own.client("evaluators")
    place = f"/home/{LISTENER}/.local/state/anagnorisis/anagnorisis.db"
    assert own.machine.run("stat", "--format=%a %U", place) == f"600 {LISTENER}\n"


def test_user_unit_is_restarted_after_a_kill_and_reloads(own: Service, mpd: Mpd) -> None:
    before = own.pid
    own.client("rate", "8.5", "song 22.flac")

    own.machine.run("kill", "-KILL", before)

    own.machine.until(lambda: own.back(before))
    assert own.client("ratings")[0]["value"] == 8.5
    more = f"{MUSIC}picks:\n  ahead: 6\n"
    path = f"/home/{LISTENER}/.config/anagnorisis/config.yaml"
    own.machine.write(path, configuration(mpd, more))
    own.ctl("reload", UNIT)
    own.machine.until(lambda: "now picks.ahead = 6" in own.show("StatusText"))


def test_user_unit_of_the_page_serves_it(own: Service) -> None:
    own.ctl("enable", "--now", PAGE)
    fetch = f"import urllib.request as u; print(u.urlopen('{PAGE_URL}').read().decode())"

    def fetched() -> str:
        said = own.machine.run("/opt/anagnorisis/bin/python", "-c", fetch, code=None)
        return said if "Next picks" in said else ""

    assert "No connection to MPD" not in own.machine.until(fetched)
    assert own.ctl("is-active", PAGE) == "active\n"
    place = f"/home/{LISTENER}/.local/state/anagnorisis-web/secret"
    assert own.machine.run("stat", "--format=%a %U", place) == f"600 {LISTENER}\n"


def test_uninstall_of_the_user_unit(own: Service) -> None:
    said = own.machine.run("anagnorisisd", "uninstall", user=LISTENER)

    for unit in (UNIT, PAGE):
        assert f"stopped and disabled {unit}\n" in said
        assert own.ctl("show", "--value", "--property=LoadState", unit) == "not-found\n"
    assert f"  /home/{LISTENER}/.local/state/anagnorisis\n" in said
    assert own.show("LoadState") == "not-found"
    own.machine.run("test", "-e", f"/home/{LISTENER}/.local/bin/anagnorisisd", code=1)


@pytest.fixture(scope="module")
def package(machine: Machine, own: Service) -> str:
    """The Debian package, built by the machine's Python; what it depends on is bound in."""
    version = "python{}.{}".format(*sys.version_info)
    if version not in machine.run("readlink", "/usr/bin/python3"):
        pytest.skip(f"this release of Debian has another Python than {version}, that of the tests")
    machine.run("rm", "-r", "/opt/anagnorisis", "/etc/anagnorisis")
    pth = f"/opt/anagnorisis/lib/{version}/site-packages/dependencies.pth"
    machine.write(pth, f"{DEPENDENCIES}\n")
    built = machine.run("env", "--chdir=/opt/source", "python3", "-B", "-c", BUILD_PACKAGE)
    return built.split()[-1]


def apt(machine: Machine, *words: str) -> str:
    """Let apt-get do something without asking."""
    # MPD, which is recommended, could only be downloaded.
    options = ["--yes", "--no-install-recommends"]
    return machine.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, *words)


def exists(machine: Machine, path: str) -> bool:
    return machine.run("sh", "-c", f"test -e {path} && echo yes || true") == "yes\n"


def test_apt_installs_a_service_that_takes_over_what_was_learnt(
    machine: Machine, system: Service, package: str, mpd: Mpd
) -> None:
    apt(machine, "install", package)
    assert system.show("ActiveState") == "active"
    assert system.ctl("is-enabled", UNIT).strip() == "enabled"
    assert system.show("FragmentPath").startswith(("/usr/lib/", "/lib/"))

    machine.write(CONFIG, configuration(mpd))
    system.ctl("restart", UNIT)
    machine.until(lambda: system.embedded(ALL))
    assert system.client("evaluators")
    mpd.mpc("clear")
    mpd.mpc("add", "song 20.flac")
    mpd.mpc("play")
    machine.until(lambda: len(mpd.mpc("playlist").splitlines()) > 3)


def test_a_purge_keeps_the_ratings_for_a_later_installation(
    machine: Machine, system: Service, package: str
) -> None:
    before = system.client("ratings")

    said = apt(machine, "purge", "anagnorisis")

    assert "Ratings and everything learnt are kept" in said
    assert exists(machine, DATABASE)
    removed = [CONFIG, "/usr/bin/anagnorisisd", "/var/cache/private/anagnorisis"]
    assert not [path for path in removed if exists(machine, path)]
    apt(machine, "install", package)
    assert [one["value"] for one in system.client("ratings")] == [one["value"] for one in before]


def test_a_purge_deletes_the_ratings_if_that_is_the_answer(machine: Machine, package: str) -> None:
    answer = "anagnorisis anagnorisis/delete-ratings boolean true"
    machine.run("sh", "-c", f"echo {answer} | debconf-set-selections")

    said = apt(machine, "purge", "anagnorisis")

    assert "are kept" not in said
    assert not exists(machine, DATABASE)
    assert not exists(machine, "/var/lib/anagnorisis")
