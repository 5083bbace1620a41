"""What the doctor makes of facts: every check where all is well, and where it is not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anagnorisisd.config.schema import Training, Watch
from anagnorisisd.doctor import checks, output
from anagnorisisd.doctor.facts import (
    ConfinementFacts,
    DiskFacts,
    ExecutorFacts,
    FolderFacts,
    MpdFacts,
    Running,
    UnitFacts,
)
from anagnorisisd.doctor.finding import Finding, Severity, advice, fine, problem
from anagnorisisd.doctor.probe import unit_facts
from anagnorisisd.storage.health import DatabaseHealth

FOLDER = FolderFacts(Path("/music"), None, folders=10, files=100)
MPD = MpdFacts("/run/mpd/socket", version="0.23.5")
AWAY = MpdFacts("/run/mpd/socket", reason="connecting to /run/mpd/socket: refused")
DISK = DiskFacts(Path("/state"), free_bytes=10**9)
NOW = 1_750_000_000.0
KNOWN = DatabaseHealth(
    path=Path("/state/anagnorisis.db"),
    size_bytes=8_000_000,
    damage=None,
    rated=20,
    evaluator=3,
    trained_at=NOW - 3600,
    training="not worse",
)
FAILED = replace(KNOWN, training="failed: no memory", failed_trainings=1)
NIGHTLY = Training(time="03:30", timezone="UTC")
USER, SYSTEM = UnitFacts(of_user=True), UnitFacts(of_user=False)
USER_ACTIVE, SYSTEM_ACTIVE = replace(USER, active="active"), replace(SYSTEM, active="active")
SOCKET = Path("/run/a.sock")
RUNNING = Running(SOCKET, Path("/m"), Path("/s"), Path("/models"), "localhost:6600")
HOST = "tcp://127.0.0.1:8786"

ROWS: list[tuple[Finding, Severity, str]] = [
    (checks.config((), ()), Severity.FINE, "every key has its default"),
    (checks.config((), (Path("/etc/a.yaml"),)), Severity.FINE, "read from /etc/a.yaml"),
    (checks.config((), (), RUNNING), Severity.FINE, "as the running daemon has it: music in /m,"),
    (checks.config(("picks.ahed: unknown", "b"), ()), Severity.PROBLEM, "picks.ahed: unknown; b"),
    (checks.music_folder(FOLDER), Severity.FINE, "100 files in /music"),
    (checks.music_folder(replace(FOLDER, files=1)), Severity.FINE, "1 file in /music"),
    (checks.music_folder(replace(FOLDER, files=0)), Severity.ADVICE, "set music.directory"),
    (checks.music_folder(replace(FOLDER, reason="not there")), Severity.PROBLEM, "mount it"),
    (checks.watch_limit(FOLDER, Watch.INOTIFY, 8192), Severity.FINE, "8192 watches are allowed"),
    (checks.watch_limit(FOLDER, Watch.INOTIFY, 10), Severity.PROBLEM, "watches=1048576"),
    (checks.watch_limit(FOLDER, Watch.POLL, 10), Severity.FINE, "music.watch is poll"),
    (checks.watch_limit(FOLDER, Watch.INOTIFY, None), Severity.UNKNOWN, "cannot be read"),
    (checks.watch_limit(FOLDER, Watch.POLL, None), Severity.FINE, "music.watch is poll"),
    (checks.watch_limit(replace(FOLDER, folders=1), Watch.INOTIFY, 9), Severity.FINE, "1 folder,"),
    (checks.mpd_link(MPD), Severity.FINE, "version 0.23.5 at /run/mpd/socket"),
    (checks.mpd_link(AWAY), Severity.PROBLEM, "start MPD, or set mpd.address"),
    (checks.mpd_link(replace(AWAY, refused=True)), Severity.PROBLEM, "set mpd.password_file"),
    (checks.mpd_permissions(MPD), Severity.FINE, "all that is needed"),
    (checks.mpd_permissions(AWAY), Severity.UNKNOWN, "while MPD is away"),
    (
        checks.mpd_permissions(replace(MPD, lacking=("no picks: give it control", "x"))),
        Severity.PROBLEM,
        "no picks (and 1 more) give it control",
    ),
    (checks.stickers(MPD), Severity.FINE, "MPD keeps them"),
    (checks.stickers(AWAY), Severity.UNKNOWN, "while MPD is away"),
    (checks.stickers(replace(MPD, stickers=False)), Severity.ADVICE, "set sticker_file"),
    (checks.daemon(SOCKET, None), Severity.FINE, "answers on /run/a.sock"),
    (checks.daemon(SOCKET, "refused"), Severity.PROBLEM, "start it with `anagnorisisd`"),
    (checks.disk_space(DISK, 8_000_000), Severity.FINE, "1,000 MB free at /state"),
    (checks.disk_space(DISK, 800_000_000), Severity.ADVICE, "copies the database"),
    (checks.disk_space(replace(DISK, free_bytes=1), 0), Severity.PROBLEM, "free some space"),
    (checks.disk_space(replace(DISK, reason="no"), 0), Severity.PROBLEM, "make it writable"),
    (checks.database(KNOWN, None), Severity.FINE, "8 MB, whole"),
    (checks.database(None, None), Severity.FINE, "none yet"),
    (
        checks.database(None, "a.db is locked; close it"),
        Severity.PROBLEM,
        "a.db is locked close it",
    ),
    (checks.database(replace(KNOWN, to_migrate=1), None), Severity.FINE, "at the next start"),
    (
        checks.database(replace(KNOWN, damage="bad page", backup=Path("/b.db")), None),
        Severity.PROBLEM,
        "`anagnorisisd restore /b.db`",
    ),
    (checks.embedder("features-1", None, KNOWN), Severity.FINE, "features-1"),
    (checks.embedder("features-1", None, None), Severity.FINE, "features-1"),
    (checks.embedder("f-1", None, replace(KNOWN, failed=2)), Severity.ADVICE, "--state failed"),
    (checks.embedder("f-1", "weights: denied", KNOWN), Severity.ADVICE, "weights: denied"),
    (checks.embedder(None, "no weights; fetch them", None), Severity.PROBLEM, "fetch them"),
    (checks.confinement(ConfinementFacts(landlock=7)), Severity.FINE, "neither other files"),
    (checks.confinement(ConfinementFacts(("send by UDP",), 4)), Severity.ADVICE, "libseccomp"),
    (checks.confinement(ConfinementFacts(("read files",), 0)), Severity.ADVICE, "5.13"),
    (checks.confinement(ConfinementFacts(reason="died")), Severity.UNKNOWN, "died"),
    (checks.executor(ExecutorFacts()), Severity.FINE, "this computer"),
    (checks.executor(ExecutorFacts(HOST, 2)), Severity.FINE, "workers that embed: 2"),
    (checks.executor(ExecutorFacts(HOST, reason="away")), Severity.PROBLEM, "docs/distributed.md"),
    (checks.executor(ExecutorFacts(HOST, reason="no x; get it")), Severity.PROBLEM, "no x get it"),
    (checks.executor(ExecutorFacts(HOST, 1, unfit=("a: b",))), Severity.ADVICE, "do not: a: b"),
    (checks.executor(ExecutorFacts("tcp://desk:1", 2)), Severity.ADVICE, "not encrypted"),
    (checks.executor(ExecutorFacts("tls://desk:1", 2)), Severity.FINE, "tls://desk:1"),
    (checks.evaluator(KNOWN, 10), Severity.FINE, "version 3, 20 tracks are rated"),
    (checks.evaluator(replace(KNOWN, rated=1), 10), Severity.FINE, "3, 1 track is rated"),
    (checks.evaluator(None, 10), Severity.ADVICE, "none yet, 0 tracks are rated rate 10 more"),
    (checks.evaluator(replace(KNOWN, evaluator=None, rated=4), 10), Severity.ADVICE, "rate 6 more"),
    (checks.evaluator(replace(KNOWN, evaluator=None), 10), Severity.ADVICE, "`anagnorisis train`"),
    (checks.last_training(KNOWN, NIGHTLY, NOW), Severity.FINE, "today: not worse"),
    (checks.last_training(None, NIGHTLY, NOW), Severity.FINE, "none yet"),
    (checks.last_training(KNOWN, NIGHTLY, NOW + 9 * 86_400), Severity.ADVICE, "9 days ago"),
    (
        checks.last_training(KNOWN, NIGHTLY, NOW - 86_400),
        Severity.FINE,
        "has the clock been set back?",
    ),
    (
        checks.last_training(FAILED, NIGHTLY, NOW),
        Severity.PROBLEM,
        "today: failed: no memory; a running daemon tries again at 15 June, 14:16",
    ),
    (
        checks.last_training(replace(FAILED, failed_trainings=99), NIGHTLY, NOW),
        Severity.PROBLEM,
        "no memory (99 times); a running daemon tries again at 16 June, 03:30",
    ),
    (checks.unit((SYSTEM, USER)), Severity.ADVICE, "`anagnorisisd install`"),
    (
        checks.unit((SYSTEM, replace(USER_ACTIVE, restarts=2))),
        Severity.FINE,
        "anagnorisis.service (user) is active, restarted 2 times",
    ),
    (checks.unit((SYSTEM_ACTIVE, USER)), Severity.FINE, "anagnorisis.service (system) is active"),
    (
        checks.unit((replace(SYSTEM, active="reloading"), replace(USER, active="inactive"))),
        Severity.FINE,
        "(system) is active",
    ),
    (checks.unit((SYSTEM_ACTIVE, USER_ACTIVE)), Severity.ADVICE, "disable --now"),
    (
        checks.unit((SYSTEM, replace(USER_ACTIVE, enabled=False))),
        Severity.ADVICE,
        "`systemctl --user enable anagnorisis`",
    ),
    (
        checks.unit((replace(SYSTEM_ACTIVE, outdated=True), USER)),
        Severity.ADVICE,
        "`systemctl daemon-reload`, then `systemctl restart anagnorisis`",
    ),
    (
        checks.unit((replace(SYSTEM, active="failed", result="exit-code"), USER)),
        Severity.PROBLEM,
        "(system) failed: exit-code `journalctl -u anagnorisis` says why",
    ),
    (
        checks.unit(
            (
                replace(SYSTEM, active="inactive"),
                replace(USER, active="activating", result="exit-code"),
            )
        ),
        Severity.PROBLEM,
        "(user) is activating: exit-code `journalctl --user -u anagnorisis` says why",
    ),
    (
        checks.unit((replace(SYSTEM, active="inactive"), USER)),
        Severity.ADVICE,
        "is not started `systemctl start anagnorisis`",
    ),
]


@pytest.mark.parametrize(("finding", "verdict", "text"), ROWS)
def test_each_check_in_each_outcome(finding: Finding, verdict: Severity, text: str) -> None:
    assert finding.verdict is verdict
    assert text in f"{finding.said} {finding.remedy}"
    wants_something = verdict in {Severity.ADVICE, Severity.PROBLEM}
    assert bool(finding.remedy) is wants_something


PAGE = [fine("disk", "free"), advice("unit", "none", "install one"), problem("MPD", "away", "go")]


def test_the_page_has_a_remedy_below_what_is_not_well() -> None:
    assert output.page(PAGE).splitlines() == [
        "ok disk             free",
        "-- unit             none",
        "                    -> install one",
        "!! MPD              away",
        "                    -> go",
    ]


def test_the_json_has_everything() -> None:
    assert json.loads(output.as_json(PAGE))[2] == {
        "subject": "MPD",
        "verdict": "problem",
        "said": "away",
        "remedy": "go",
    }


def test_advice_is_well_enough() -> None:
    assert output.well(PAGE[:2])
    assert not output.well(PAGE)


SHOWN = """\
Result=success
NRestarts=1
LoadState=loaded
ActiveState=active
UnitFileState=enabled-runtime
NeedDaemonReload=yes
"""


def test_what_systemctl_shows_is_understood() -> None:
    found = unit_facts(SHOWN, of_user=True)

    assert found == UnitFacts(True, "active", "success", 1, enabled=True, outdated=True)
    assert unit_facts("LoadState=not-found\nActiveState=inactive\n", of_user=True) == USER
    assert unit_facts("", of_user=False) == SYSTEM
