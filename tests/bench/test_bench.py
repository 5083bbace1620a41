"""Guarantees of the bench: fair baselines, checked results, and reported failures.

Type checks keep the parts in step with the daemon; their tables are not tested.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import (
    likeness,
    music_files,
    picks,
    rating_latency,
    song_embeddings,
    sound_card,
    taste,
    taste_by_embedder,
)
from bench.processes import ALL_PACKAGES
from tests.support.songs import make_songs

pytestmark = pytest.mark.slow


def test_picks_have_the_probabilities_of_a_list_of_records(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(picks, "TRACKS", (50, 200))

    picks.run(full=False)  # compares the probabilities

    assert "| 200 |" in capsys.readouterr().out


def test_no_rating_is_lost_during_a_scan_and_an_embedding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rating_latency, "SONGS", 12)
    monkeypatch.setattr(rating_latency, "SECONDS", 1.0)
    monkeypatch.setattr(rating_latency, "INTERVALS", (1.0,))
    monkeypatch.setattr(rating_latency, "RUNS", 2)

    rating_latency.run(full=False)

    (row,) = re.findall(r"^\| 1 s .*", capsys.readouterr().out, re.MULTILINE)
    lost = row.split("|")[8]
    assert int(lost) == 0


def test_an_unknown_part_is_refused_with_the_names_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "nothing"])

    with pytest.raises(SystemExit) as left:
        bench.main()

    assert left.value.code != 0
    assert "there is no part nothing; there are" in capsys.readouterr().err


def test_a_failed_part_does_not_stop_others_and_sets_the_exit_code(tmp_path: Path) -> None:
    without_mpd = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "bench", "scan", "history"]

    ended = subprocess.run(command, env=without_mpd, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "**scan could not run.**" in ended.stdout
    assert re.search(r"\(history took \d+ s\)\s*$", ended.stdout)


def test_too_few_tracks_for_a_number_of_ratings_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(taste, "SIZES", (10, 5000))
    monkeypatch.setattr(taste, "SEEDS", 1)

    taste.run(full=False)

    printed = capsys.readouterr().out
    assert "| 10 |" in printed
    assert "too few tracks to rate 5000" in printed


THIRD_PARTIES = """
import sys, sysconfig
site = sysconfig.get_paths()["purelib"]
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(*sorted({name.split(".")[0] for name, file in files.items() if file.startswith(site)}))
"""


def test_the_baseline_interpreter_imports_the_packages_of_the_daemon() -> None:
    def imported(program: str) -> set[bytes]:
        command = [sys.executable, "-c", f"{program}\n{THIRD_PARTIES}"]
        return set(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split())

    daemons = imported("import anagnorisisd.cli, anagnorisisd.daemon")

    assert daemons <= imported(ALL_PACKAGES)


@pytest.fixture
def _songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bench use eight songs of two kinds, and neither MERT nor the network."""
    for kind in ("a", "b"):
        make_songs(tmp_path / "music" / kind, 2)
    monkeypatch.setenv("ANAGNORISIS_BENCH_MUSIC", str(tmp_path / "music"))
    monkeypatch.setattr(music_files, "MIN_BYTES", 0)  # else the demo library is made and used
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(song_embeddings, "PROCESSES", 1)
    monkeypatch.setattr(song_embeddings, "random_mert", lambda scratch: None)


@pytest.mark.usefixtures("_songs")
def test_a_competitor_that_crashes_on_this_cpu_has_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crashing = "import os\n\nclass Song:\n    def __init__(self, path):\n        os.abort()\n"
    (tmp_path / "bliss_audio.py").write_text(crashing)
    monkeypatch.syspath_prepend(tmp_path)

    monkeypatch.setattr(likeness, "_print_costs", lambda found, scratch: None)
    likeness.run(full=False)

    printed = capsys.readouterr().out
    assert "8 songs of 2 kinds" in printed
    assert "| bliss-audio | | crashes on this CPU |" in printed
    assert "| features | 206 | " in printed


@pytest.mark.usefixtures("_songs")
def test_embedders_are_compared_without_the_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(taste_by_embedder, "SEEDS", 2)
    monkeypatch.setattr(taste_by_embedder, "SIZES", (4,))
    monkeypatch.setattr(taste_by_embedder, "MIN_HELD_OUT", 4)

    taste_by_embedder.print_table(full=False)

    printed = capsys.readouterr().out
    assert "| kinds | features | " in printed
    assert "No listeners who like another network's tags" in printed


def test_sound_that_comes_too_late_is_counted_as_a_gap(tmp_path: Path) -> None:
    report = tmp_path / "report"
    command = [sys.executable, sound_card.__file__, str(report)]
    second = bytes(sound_card.BYTES_PER_SECOND)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(second)
        process.stdin.flush()
        while not report.exists() or float(report.read_text().split()[0]) < 1.0:
            time.sleep(0.01)
        time.sleep(2 * sound_card.BUFFER_SECONDS)  # longer than what is buffered
        process.stdin.write(second)
        process.stdin.close()

    played, gaps, lowest = map(float, report.read_text().split())
    assert (round(played), gaps, lowest) == (2, 1, 0)
