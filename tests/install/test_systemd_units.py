"""The systemd units, checked by systemd's tools."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anagnorisis.errors import UNAVAILABLE, USAGE

UNITS = Path(__file__).parents[2] / "systemd"
DROP_INS = sorted((UNITS / "drop-ins").glob("*.conf"))
DAEMON, PAGE = "anagnorisis.service", "anagnorisis-web.service"
SHIPPED = [f"system/{DAEMON}", f"user/{DAEMON}", f"user/{PAGE}"]
MAX_EXPOSURE = {"system": 1.5, "user": 6.5}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
    ),
]


@pytest.fixture(params=SHIPPED)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it is shipped, but for the program, which is not installed here."""
    copy = tmp_path / str(request.param)
    copy.parent.mkdir()
    text = (UNITS / str(request.param)).read_text()
    copy.write_text(re.sub(r"(?<==)\S+/anagnorisis(d|-web)", sys.executable, text))
    return copy


def of_daemon(unit: Path) -> None:
    """Skip the test for the unit of the web page."""
    if unit.name == PAGE:
        pytest.skip("only the daemon's units have this")


def analyze(*arguments: str, runtime: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "LC_ALL": "C"},
    )


def test_systemd_analyze_verify(unit: Path, tmp_path: Path) -> None:
    done = analyze("verify", f"--{unit.parent.name}", str(unit), runtime=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_analyze_security(unit: Path, tmp_path: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(unit), runtime=tmp_path)
    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)

    assert level is not None
    assert float(level[1]) <= MAX_EXPOSURE[unit.parent.name]


def test_each_drop_in_is_valid_for_its_systemd_version(unit: Path, tmp_path: Path) -> None:
    version = re.search(r"systemd (\d+)", analyze("--version", runtime=tmp_path).stdout)
    assert version is not None
    known = [drop_in for drop_in in DROP_INS if int(drop_in.name[:3]) <= int(version[1])]
    of_daemon(unit)
    folder = unit.with_name("anagnorisis.service.d")
    folder.mkdir()
    for drop_in in known:
        shutil.copy(drop_in, folder)

    done = analyze("verify", f"--{unit.parent.name}", str(unit), runtime=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert DROP_INS


def test_a_reload_fails_with_an_invalid_configuration(unit: Path) -> None:
    of_daemon(unit)
    lines = [line for line in unit.read_text().splitlines() if line.startswith("ExecReload=")]

    assert lines == [
        f"ExecReload={sys.executable} check-config",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ]


def settings_of(unit: Path) -> dict[str, str]:
    return dict(
        line.split("=", 1)
        for line in unit.read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )


def test_resource_limits(unit: Path) -> None:
    settings = settings_of(unit)

    assert settings["LimitCORE"] == "0"
    assert settings["MemoryMax"] == ("512M" if unit.name == PAGE else "75%")
    assert int(settings["TasksMax"]) <= 4096
    assert 1024 < int(settings["LimitNOFILE"]) <= 8192


def test_the_system_service_listens_on_no_port_and_shares_no_memory(unit: Path) -> None:
    if unit.parent.name == "user":
        pytest.skip("a user manager may have no rights to do so")
    settings = settings_of(unit)

    assert (settings["SocketBindDeny"], settings["PrivateIPC"]) == ("any", "yes")


def test_watchdog_and_restart(unit: Path) -> None:
    of_daemon(unit)
    settings = settings_of(unit)

    assert settings["Type"] == "notify"
    assert settings["Restart"] == "on-failure"
    assert settings["RestartPreventExitStatus"] == "2"
    assert settings["WatchdogSec"] == "60s"


def test_the_page_is_started_again_unless_that_cannot_help(unit: Path) -> None:
    if unit.name != PAGE:
        pytest.skip("the daemon's units have the test above")
    settings = settings_of(unit)

    assert settings["Restart"] == "on-failure"
    # Wrong usage, and packages that are missing.
    assert settings["RestartPreventExitStatus"] == f"{USAGE} {UNAVAILABLE}"
    assert settings["MemoryDenyWriteExecute"] == "yes"
