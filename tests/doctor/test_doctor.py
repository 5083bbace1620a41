"""The doctor with real directories, sockets, databases, daemons and MPDs."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from anagnorisisd.config import schema
from anagnorisisd.doctor import probe, running_daemon
from anagnorisisd.embedding.musicnn import weights
from anagnorisisd.errors import StoreError
from anagnorisisd.storage.health import inspect
from anagnorisisd.storage.stores import FILE_NAME, Stores
from tests.config.test_command_line import ROOT, anagnorisisd
from tests.support.faults import damage_table
from tests.support.library import EPOCH, add_evaluator, add_rated
from tests.support.mpd import running
from tests.support.musicnn import needs_weights

pytestmark = pytest.mark.slow


def test_directories_and_music_files_are_counted(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    for name in ("a.mp3", "album/b.FLAC", "album/cover.jpg"):
        (tmp_path / name).touch()

    found = probe.probe_music(tmp_path, schema.Music())

    assert (found.reason, found.directories, found.files) == (None, 2, 2)


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    found = probe.probe_music(tmp_path / "nowhere", schema.Music())

    assert found.reason == "No such file or directory"


def test_a_socket_with_and_without_a_listener(tmp_path: Path) -> None:
    assert probe.probe_socket(tmp_path / "sock") == "No such file or directory"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        assert probe.probe_socket(tmp_path / "sock") is None
    assert probe.probe_socket(tmp_path / "sock") == "Connection refused"


def test_disk_space_of_a_directory_that_does_not_exist_yet(tmp_path: Path) -> None:
    found = probe.probe_disk(tmp_path / "not" / "yet")

    assert found.free_bytes > 0
    assert found.reason is None


async def test_mpd_with_all_permissions(tmp_path: Path) -> None:
    with running(tmp_path) as mpd:
        config = schema.Mpd(address=str(mpd.socket))

        found = await probe.probe_mpd(config, mpd.music, {})

    assert found.version is not None
    assert (found.reason, found.missing_features, found.stickers) == (None, (), True)


async def test_mpd_without_permission_to_add_or_to_use_stickers(tmp_path: Path) -> None:
    with running(tmp_path, extra='default_permissions "read,control,player"') as mpd:
        config = schema.Mpd(address=str(mpd.socket))

        found = await probe.probe_mpd(config, mpd.music, {})

    assert any("adding picks" in lack for lack in found.missing_features)
    assert not found.stickers


async def test_mpd_that_does_not_run(tmp_path: Path) -> None:
    config = schema.Mpd(address=str(tmp_path / "nowhere"))

    found = await probe.probe_mpd(config, tmp_path, {})

    assert "nowhere" in (found.reason or "")
    assert not found.refused


async def test_a_database_in_use_is_inspected(stores: Stores, tmp_path: Path) -> None:
    await add_rated(stores, {"a.mp3": 7, "b.mp3": 2})
    version = (await add_evaluator(stores)).version
    await stores.evaluators.record_training(EPOCH, "not worse")

    found = inspect(tmp_path / "state" / FILE_NAME)

    assert found is not None
    assert (found.damage, found.to_migrate, found.backup) == (None, 0, None)
    assert (found.rated, found.failed, found.evaluator) == (2, 0, version)
    assert (found.trained_at, found.training) == (EPOCH, "not worse")
    assert found.failed_trainings == 0


async def test_failed_trainings_are_counted_until_one_succeeds(
    stores: Stores, tmp_path: Path
) -> None:
    await stores.evaluators.record_failure(EPOCH, "no memory")
    await stores.evaluators.record_training(EPOCH, "not worse")
    for moment in (1, 2):
        await stores.evaluators.record_failure(EPOCH + moment, "no memory")

    found = inspect(tmp_path / "state" / FILE_NAME)

    assert found is not None
    assert (found.trained_at, found.training) == (EPOCH + 2, "failed: no memory")
    assert found.failed_trainings == 2


async def test_damaged_table_is_named(stores: Stores, tmp_path: Path) -> None:
    await add_rated(stores, {"a.mp3": 7})
    await stores.close()
    damage_table(tmp_path / "state" / FILE_NAME, "ratings")

    found = inspect(tmp_path / "state" / FILE_NAME)

    assert found is not None
    assert found.damage


def test_a_missing_database_and_a_file_that_is_no_database(tmp_path: Path) -> None:
    assert inspect(tmp_path / "nothing.db") is None
    (tmp_path / "text.db").write_text("My diary. " * 1000)
    with pytest.raises(StoreError, match="is not a database"):
        inspect(tmp_path / "text.db")


def findings(home: Path, *flags: str) -> tuple[int, Mapping[str, Mapping[str, str]]]:
    done = anagnorisisd(home, *flags, "doctor", "--json")
    assert done.stderr == ""
    return done.returncode, {found["subject"]: found for found in json.loads(done.stdout)}


def test_the_command_runs_every_check_and_changes_nothing(tmp_path: Path) -> None:
    with running(tmp_path, ["a.wav"]) as mpd:
        flags = ("--music", str(mpd.music), "--mpd", str(mpd.socket), "--state", "state")

        code, found = findings(tmp_path, *flags)

    assert code == 1, "no daemon runs"
    problems = [name for name, one in found.items() if one["severity"] == "problem"]
    assert problems == ["socket"]
    assert list(found) == [
        "config", "music directory", "watch limit", "MPD", "MPD permissions", "MPD database",
        "stickers", "socket", "disk space", "database", "embedder", "executor", "confinement",
        "evaluator", "last training", "unit",
    ]  # fmt: skip
    assert not (tmp_path / "state").exists()


@needs_weights
def test_changed_weights_of_musicnn_are_a_problem(tmp_path: Path) -> None:
    content = bytearray(weights.PACKAGED.read_bytes())
    content[len(content) // 2] ^= 1
    path = weights.downloaded(tmp_path / ".local" / "share" / "anagnorisis" / "models")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    _, found = findings(tmp_path)

    assert found["embedder"]["severity"] == "problem"
    assert "fetch-model musicnn" in found["embedder"]["message"] + found["embedder"]["remedy"]


@contextmanager
def daemon_with(*flags: str) -> Iterator[Path]:
    """Run a daemon as `make run` does, with flags, and yield the home that its socket is in."""
    with tempfile.TemporaryDirectory(prefix="home") as name:  # short enough for a socket
        home = Path(name)
        variables = {"PATH": os.environ["PATH"], "HOME": name, "XDG_RUNTIME_DIR": name}
        command = [sys.executable, "-m", "anagnorisisd", *flags, "run"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 60
        try:
            while probe.probe_socket(home / "anagnorisis" / "anagnorisisd.sock") is not None:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield home
        finally:
            process.terminate()
            process.wait(90)


def test_the_settings_of_a_running_daemon_are_checked(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with running(tmp_path, ["a.wav", "b.wav"]) as mpd:
        flags = ("--music", str(mpd.music), "--mpd", str(mpd.socket), "--state", str(other / "s"))
        with daemon_with(*flags) as home:
            code, found = findings(home)
            _, elsewhere = findings(home, "--music", str(other))

    assert code == 0, found
    assert f"music in {mpd.music}" in found["config"]["message"]
    assert found["music directory"]["message"] == f"2 files in {mpd.music}"
    assert str(mpd.socket) in found["MPD"]["message"]
    assert found["socket"]["severity"] == "fine"
    assert str(other) in found["disk space"]["message"]
    assert found["database"]["message"].endswith("intact")
    assert str(other) in elsewhere["music directory"]["message"], "what is asked for comes first"


def test_mpd_permissions_are_those_of_the_running_daemon(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    extra = (
        'password "open sesame@read,add,control,player,admin"\ndefault_permissions "read,control"'
    )
    settings = f"mpd: {{password_file: {secret}}}\n"
    (tmp_path / "config.yaml").write_text(settings)
    with running(tmp_path, ["a.wav"], extra=extra) as mpd:
        address = ("--mpd", str(mpd.socket))
        flags = (*address, "--music", str(mpd.music), "--state", str(tmp_path / "state"))
        with daemon_with("--config", str(tmp_path / "config.yaml"), *flags) as home:
            wait_for_mpd(home)
            _, found = findings(home)
            _, elsewhere = findings(home, *address)

    assert found["MPD permissions"]["severity"] == "fine", found["MPD permissions"]
    assert found["stickers"]["severity"] == "fine", found["stickers"]
    assert elsewhere["MPD permissions"]["severity"] == "problem", "an address is tried as told"


def wait_for_mpd(home: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        found = running_daemon.query_first([home / "anagnorisis" / "anagnorisisd.sock"])
        if found is not None and found.connection is not None:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_unit_file_that_systemd_has_not_loaded_is_found(tmp_path: Path) -> None:
    """systemd answers here as it does before `daemon-reload`, and where none runs."""
    unit = tmp_path / ".local" / "share" / "systemd" / "user" / "anagnorisis.service"
    _, before = findings(tmp_path)
    unit.parent.mkdir(parents=True)
    unit.touch()

    _, found = findings(tmp_path)

    assert before["unit"]["message"] == "no unit is installed"
    assert found["unit"]["message"] == f"{unit} exists, but systemd has not loaded it"
    assert "systemctl --user daemon-reload" in found["unit"]["remedy"]


def test_an_invalid_configuration_is_the_only_finding(tmp_path: Path) -> None:
    code, found = findings(tmp_path, "--log-level", "loud")

    assert code == 1
    assert list(found) == ["config"]
    assert '"loud" is not one of' in found["config"]["message"]
