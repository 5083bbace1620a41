"""The command line of the daemon, run as a program."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisisd.storage import state_directory
from anagnorisisd.storage.stores import FILE_NAME, open_stores

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="home"))
    yield folder
    shutil.rmtree(folder)


def anagnorisisd(
    home: Path, *arguments: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    usual = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "anagnorisisd", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**usual, "PYTHONPATH": str(ROOT), **variables},
    )


def test_check_config_shows_the_paths_of_a_valid_configuration(home: Path) -> None:
    (home / "my.yaml").write_text("music: {directory: songs}\n")

    done = anagnorisisd(home, "check-config", "--config", "my.yaml", "--state", "kept")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"read from +my\.yaml\n", done.stdout)
    assert re.search(rf"music +{home}/songs \(not found\)\n", done.stdout)
    assert re.search(rf"state +{home}/kept\n", done.stdout)
    assert re.search(rf"socket +{home}/anagnorisis/anagnorisisd.sock\n", done.stdout)


@pytest.mark.parametrize("command", [["check-config"], ["run"], []])
def test_each_configuration_problem_is_a_line_and_the_exit_code_is_2(
    home: Path, command: list[str]
) -> None:
    (home / "my.yaml").write_text("picks:\n  ahed: 3\n  explore: 2\n")

    done = anagnorisisd(home, "--config", "my.yaml", *command, ANAGNORISIS_LOG__LEVEL="shout")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        'ANAGNORISIS_LOG__LEVEL: log.level: "shout" is not one of debug, info, warning, error',
        "my.yaml:2:3: picks.ahed: unknown key; did you mean picks.ahead?",
        "my.yaml:3:12: picks.explore: 2 is not a number from 0 to 1",
    ]


def test_a_problem_names_the_flag_as_typed(home: Path) -> None:
    done = anagnorisisd(home, "--log-level", "loud", "check-config")

    assert done.returncode == 2
    assert done.stderr.startswith('--log-level: log.level: "loud" is not one of')


@pytest.mark.parametrize("arguments", [["dance"], ["--loud"], ["run", "extra"]])
def test_wrong_usage_is_refused(home: Path, arguments: list[str]) -> None:
    done = anagnorisisd(home, *arguments)

    assert done.returncode == 2
    assert "usage: anagnorisisd" in done.stderr


def test_version_and_help(home: Path) -> None:
    assert re.fullmatch(r"anagnorisisd \d+\.\d+\.\d+\n", anagnorisisd(home, "--version").stdout)
    assert "check-config" in anagnorisisd(home, "--help").stdout


def test_backup_and_restore(home: Path) -> None:
    backups, there = home / "kept.db", ("--state", str(home / "state"))
    asyncio.run(known_in(home / "state"))

    saved = anagnorisisd(home, *there, "backup", str(backups))
    (home / "state" / FILE_NAME).unlink()
    restored = anagnorisisd(home, *there, "restore", str(backups))
    again = anagnorisisd(home, *there, "restore", str(backups))

    assert (saved.returncode, restored.returncode, again.returncode) == (0, 0, 0)
    assert saved.stdout == f"The database is backed up to {backups}.\n"
    assert restored.stdout == f"Restored {home}/state/{FILE_NAME} from {backups}.\n"
    assert re.search(rf"is kept in {home}/state/{FILE_NAME}\.replaced-\d+T", again.stdout)


def test_restore_is_refused_while_a_daemon_runs(home: Path) -> None:
    with state_directory.lock(home):
        done = anagnorisisd(home, "--state", str(home), "restore", "kept.db")

    assert (done.returncode, done.stdout) == (75, "")
    assert "stop it" in done.stderr


async def known_in(state: Path) -> None:
    await (await open_stores(state)).close()


def test_fetch_model_names_the_file_with_a_wrong_checksum(home: Path) -> None:
    (home / "config.json").write_text("{}")

    done = anagnorisisd(home, "fetch-model", "--from", str(home))

    assert done.returncode == 1
    assert "CC BY-NC 4.0" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "config.json is not the published one" in done.stderr
