"""The daemon with its base dependencies only: small, and able to embed, learn and pick.

With `ANAGNORISIS_PYTHONS`, programs separated by spaces, the wheels are installed from the package
index for each of these Pythons, with the locked versions and with those that pip chooses.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisis.v1 import (
    evaluator_pb2,
    pick_pb2,
    rating_pb2,
    track_pb2,
)
from tests.support import media, wheels
from tests.support.daemon import running_daemon
from tests.support.mpd import Mpd, running
from tools import setup

pytestmark = pytest.mark.slow

PYTHONS = os.environ.get("ANAGNORISIS_PYTHONS", "").split()
MEGABYTE = 1_000_000
MAX_DOWNLOADED, MAX_ON_DISK = 150 * MEGABYTE, 500 * MEGABYTE
SONGS = [f"song.{name}" for name in media.FORMATS]
SAMPLES = [name for name in media.READ_ONLY if name != "version-7.mpc"]  # that one is silent
RATINGS = 10


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return wheels.build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, built: list[Path]) -> Path:
    return wheels.base_environment(tmp_path_factory.mktemp("environment") / "venv", built)


@pytest.fixture
def mpd(tmp_path: Path) -> Iterator[Mpd]:
    """An MPD with a song of each format."""
    music = tmp_path / "music"
    for seed, name in enumerate(SONGS):
        media.write_song(music / name, seed, seconds=3.0)
    for name in SAMPLES:
        media.copy_sample(name, music)
    with running(tmp_path) as server:
        yield server


def run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [str(word) for word in words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def embeds_learns_and_picks(environment: Path, mpd: Mpd, home: Path) -> None:
    """Let an installed daemon do its main job with a track of each format."""
    program = environment / "bin" / "anagnorisisd"
    tracks = len(SONGS) + len(SAMPLES)
    with running_daemon(home, mpd.music, mpd.socket, executable=program) as daemon:
        daemon.until(lambda: daemon.status().library.embedded == tracks)
        for number, uri in enumerate(SONGS[:RATINGS]):
            wanted = rating_pb2.RateTrackRequest(
                target=track_pb2.Target(uri=uri), rating=9 - number % 2 * 7
            )
            daemon.rating.RateTrack(wanted)
        training = evaluator_pb2.TrainEvaluatorRequest()
        assert list(daemon.evaluator.TrainEvaluator(training))[-1].HasField("evaluator")
        mpd.mpc("add", SONGS[0])
        mpd.mpc("play")
        daemon.until(lambda: len(mpd.mpc("playlist").splitlines()) > 3)
        preview = daemon.pick.PreviewPicks(pick_pb2.PreviewPicksRequest(count=3, seed=1))
        assert len(preview.picks) == 3
        client = environment / "bin" / "anagnorisis"
        said = run(client, "--socket", daemon.socket, "status", "--json")
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["library"]["embedded"] in {tracks, str(tracks)}
        assert daemon.stop() == 0


def test_a_song_of_each_format_is_embedded_rated_and_picked(
    environment: Path, mpd: Mpd, tmp_path: Path
) -> None:
    embeds_learns_and_picks(environment, mpd, tmp_path / "daemon")


def test_the_base_is_small(environment: Path) -> None:
    assert 10 * MEGABYTE < wheels.bytes_below(environment) < MAX_ON_DISK


@pytest.mark.parametrize("module", ["torch", "transformers", "matplotlib", "distributed", "numba"])
def test_base_installation_lacks_the_modules_of_extras(environment: Path, module: str) -> None:
    done = run(environment / "bin" / "python", "-c", f"import {module}")

    assert "ModuleNotFoundError" in done.stderr


def test_missing_extra_is_reported_with_its_install_command(
    environment: Path, mpd: Mpd, tmp_path: Path
) -> None:
    mert = pytest.importorskip("tests.support.mert", reason="it makes weights by torch")
    home = tmp_path / "daemon"
    models = tmp_path / "models"
    mert.make_folder(models / "MERT-v1-95M")
    settings = f"embedding:\n  model_directory: {models}\n  layer: 3\n"
    program = environment / "bin" / "anagnorisisd"
    client = environment / "bin" / "anagnorisis"
    pip = f"`{environment}/bin/pip install "
    with running_daemon(home, mpd.music, mpd.socket, settings, executable=program) as daemon:
        daemon.until(lambda: daemon.status().library.tracks)
        refused = run(client, "--socket", daemon.socket, "report", tmp_path / "report.html")
        doctor = run(program, "--config", home / "config.yaml", "doctor")
    daemon.configure(f"{settings}  executor: dask\n  dask: {{address: tcp://127.0.0.1:1}}\n")
    started = run(program, "--config", home / "config.yaml")

    assert refused.returncode
    assert f"{pip}'anagnorisisd[report]'`" in refused.stderr
    assert "'anagnorisisd[mert]'`" in daemon.log.read_text()
    assert "'anagnorisisd[mert]'`" in " ".join(doctor.stdout.split())
    assert started.returncode == 2
    assert f"{pip}'anagnorisisd[dask]'`" in started.stderr


@pytest.mark.timeout(900)
@pytest.mark.skipif(not PYTHONS, reason="ANAGNORISIS_PYTHONS names no Python to install into")
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("locked", [True, False], ids=["locked", "newest"])
def test_installation_from_the_package_index(
    built: list[Path], mpd: Mpd, tmp_path: Path, python: str, locked: bool
) -> None:
    folder = tmp_path / "installed"
    downloaded, on_disk = wheels.installed(folder, python, built, locked=locked)
    versions = run(folder / "venv/bin/python", "-m", "pip", "freeze")
    print(f"{python}: {downloaded / MEGABYTE:.0f} MB downloaded, {on_disk / MEGABYTE:.0f} on disk")
    print(versions.stdout)

    assert downloaded < MAX_DOWNLOADED
    assert on_disk < MAX_ON_DISK
    said_download, said_disk = setup.MEGABYTES[setup.BASE]
    assert downloaded / MEGABYTE == pytest.approx(said_download, rel=0.2)
    assert on_disk / MEGABYTE == pytest.approx(said_disk, rel=0.2)
    embeds_learns_and_picks(folder / "venv", mpd, tmp_path / "daemon")
