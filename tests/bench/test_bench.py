"""The parts of the bench run, in small; what they measure is nobody's business here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import (
    evaluator,
    feature_quality,
    history,
    large,
    learning,
    picks,
    queue_changes,
    rate,
    scan,
    start,
    storage,
    taste,
)
from bench.baseline_interpreter import ALL_PACKAGES
from tests.support.songs import make_songs

pytestmark = pytest.mark.slow

ROW = re.compile(r"^\| (?!-)", re.MULTILINE)


def rows(printed: str) -> int:
    """Return how many rows the tables have, their heads included."""
    return len(ROW.findall(printed))


def test_a_change_in_the_queue_is_followed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(queue_changes, "LENGTHS", (20, 60))
    monkeypatch.setattr(queue_changes, "TURNS", 1)
    queue_changes.run(full=False)
    rows = capsys.readouterr().out.splitlines()[-3:-1]
    assert [row.count("|") for row in rows] == [len(queue_changes.COLUMNS) + 1] * 2


def test_picks_are_chosen_as_by_a_list_of_records(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(picks, "TRACKS", (50, 200))

    picks.run(full=False)

    assert rows(capsys.readouterr().out) == 6


def test_scans_beside_mpd_and_find(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scan, "FILES", (30,))
    monkeypatch.setattr(scan, "TURNS", 2)

    scan.run(full=False)

    assert rows(capsys.readouterr().out) == 4


def test_starts_beside_a_bare_interpreter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "TRACKS", (30,))
    monkeypatch.setattr(start, "TURNS", 2)

    start.run(full=False)

    assert rows(capsys.readouterr().out) == 2


def test_history_storage_and_a_large_library(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in (history, storage):
        monkeypatch.setattr(part, "RATINGS", 20)
        monkeypatch.setattr(part, "PLAYS", 50)
    monkeypatch.setattr(history, "TRACKS", 100)
    monkeypatch.setattr(history, "TURNS", 2)
    monkeypatch.setattr(storage, "TRACKS", (100, 200))
    monkeypatch.setattr(large, "TRACKS", (120,))
    monkeypatch.setattr(large, "RATINGS", 12)

    for part in (history, storage, large):
        part.run(full=False)

    printed = capsys.readouterr().out
    assert rows(printed) == (1 + len(history.ASKED)) + (1 + 6 + 1 + 2) + (1 + 8)


def test_ratings_beside_a_scan_and_an_embedding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rate, "SONGS", 12)
    monkeypatch.setattr(rate, "SECONDS", 1.0)
    monkeypatch.setattr(rate, "PAUSES", (1.0,))
    monkeypatch.setattr(rate, "TURNS", 2)

    rate.run(full=False)

    printed = capsys.readouterr().out
    assert rows(printed) == 2 + 4
    (measured,) = re.findall(r"^\| 1 s .*", printed, re.MULTILINE)
    lost = measured.split("|")[8]
    assert int(lost) == 0


def test_a_part_that_is_not_there_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "nothing"])

    with pytest.raises(SystemExit) as left:
        bench.main()

    assert left.value.code != 0
    assert "there is no part nothing; there are" in capsys.readouterr().err


def test_one_part_that_cannot_run_keeps_no_other_from_it_and_is_told_by_the_exit_code(
    tmp_path: Path,
) -> None:
    without_mpd = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "bench", "scan", "history"]

    ended = subprocess.run(command, env=without_mpd, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "**scan could not run.**" in ended.stdout
    assert re.search(r"\(history took \d+ s\)\s*$", ended.stdout)


def test_taste_is_learnt_beside_the_baselines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(taste, "SIZES", (10, 5000))  # of the latter there are not enough
    monkeypatch.setattr(taste, "SEEDS", 1)

    taste.run(full=False)

    printed = capsys.readouterr().out
    assert rows(printed) == 2
    assert "too few tracks to rate 5000" in printed


def test_learning_and_scoring_are_timed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluator, "RATINGS", (20,))
    monkeypatch.setattr(evaluator, "TRACKS", (100,))

    evaluator.run(full=False)

    assert rows(capfd.readouterr().out) == 2


def test_a_rating_is_followed_until_it_is_learnt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learning, "TRACKS", (60,))
    monkeypatch.setattr(learning, "RATED", 20)
    monkeypatch.setattr(learning, "DIMENSION", 8)
    monkeypatch.setattr(learning, "TIMES", 1)

    learning.run(full=False)

    assert rows(capsys.readouterr().out) == 2


THIRD_PARTIES = """
import sys, sysconfig
site = sysconfig.get_paths()["purelib"]
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(*sorted({name.split(".")[0] for name, file in files.items() if file.startswith(site)}))
"""


def test_the_bare_interpreter_imports_what_the_daemon_does() -> None:
    def imported(program: str) -> set[bytes]:
        command = [sys.executable, "-c", f"{program}\n{THIRD_PARTIES}"]
        return set(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split())

    daemons = imported("import anagnorisisd.cli, anagnorisisd.daemon")

    assert daemons <= imported(ALL_PACKAGES)


def test_a_way_that_crashes_on_this_processor_is_a_row_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("a", "b"):
        make_songs(tmp_path / "music" / kind, 3)
    crashing = "import os\n\nclass Song:\n    def __init__(self, path):\n        os.abort()\n"
    (tmp_path / "bliss_audio.py").write_text(crashing)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ANAGNORISIS_BENCH_MUSIC", str(tmp_path / "music"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # the other network is not downloaded in tests
    monkeypatch.setattr(feature_quality, "SEEDS", 2)
    monkeypatch.setattr(feature_quality, "SIZES", (6,))
    monkeypatch.setattr(feature_quality, "FEWEST_HELD_OUT", 4)

    feature_quality.run(full=False)

    printed = capsys.readouterr().out
    assert "| bliss-audio | | crashes on this processor |" in printed
    assert "| kinds | features | " in printed
    assert "No listeners who like another network's tags" in printed
