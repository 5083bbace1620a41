"""Every check of the doctor, with each severity that it can return."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anagnorisisd.config.schema import Training, Watch
from anagnorisisd.doctor.checks import (
    check_config,
    check_confinement,
    check_database,
    check_disk_space,
    check_embedder,
    check_evaluator,
    check_executor,
    check_last_training,
    check_mpd,
    check_mpd_permissions,
    check_music,
    check_socket,
    check_stickers,
    check_watch_limit,
)
from anagnorisisd.doctor.finding import (
    Finding,
    Severity,
    advice,
    as_json,
    as_text,
    fine,
    has_problem,
    problem,
)
from anagnorisisd.doctor.probe import (
    ConfinementFacts,
    DiskFacts,
    ExecutorFacts,
    MpdFacts,
    MusicFacts,
    RunningDaemon,
)
from anagnorisisd.doctor.systemd_unit import UnitFacts, check_units, parse_unit
from anagnorisisd.storage.health import DatabaseHealth

MUSIC = MusicFacts(Path("/music"), None, directories=10, files=100)
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
RUNNING = RunningDaemon(SOCKET, Path("/m"), Path("/s"), Path("/models"), "localhost:6600")
HOST = "tcp://127.0.0.1:8786"

ROWS: list[tuple[Finding, Severity, str]] = [
    (check_config((), ()), Severity.FINE, "no file; all defaults"),
    (check_config((), (Path("/etc/a.yaml"),)), Severity.FINE, "read from /etc/a.yaml"),
    (check_config((), (), RUNNING), Severity.FINE, "the running daemon uses music in /m,"),
    (check_config(("picks.ahed: unknown", "b"), ()), Severity.PROBLEM, "picks.ahed: unknown; b"),
    (check_music(MUSIC), Severity.FINE, "100 files in /music"),
    (check_music(replace(MUSIC, files=1)), Severity.FINE, "1 file in /music"),
    (check_music(replace(MUSIC, files=0)), Severity.ADVICE, "set music.directory"),
    (check_music(replace(MUSIC, reason="not there")), Severity.PROBLEM, "mount it"),
    (check_watch_limit(MUSIC, Watch.INOTIFY, 8192), Severity.FINE, "limit is 8192"),
    (check_watch_limit(MUSIC, Watch.INOTIFY, 10), Severity.PROBLEM, "watches=1048576"),
    (check_watch_limit(MUSIC, Watch.POLL, 10), Severity.FINE, "music.watch is poll"),
    (check_watch_limit(MUSIC, Watch.INOTIFY, None), Severity.UNKNOWN, "cannot read"),
    (check_watch_limit(MUSIC, Watch.POLL, None), Severity.FINE, "music.watch is poll"),
    (
        check_watch_limit(replace(MUSIC, directories=1), Watch.INOTIFY, 9),
        Severity.FINE,
        "1 directory;",
    ),
    (check_mpd(MPD), Severity.FINE, "version 0.23.5 at /run/mpd/socket"),
    (check_mpd(AWAY), Severity.PROBLEM, "start MPD, or set mpd.address"),
    (check_mpd(replace(AWAY, refused=True)), Severity.PROBLEM, "check mpd.password_file"),
    (check_mpd_permissions(MPD), Severity.FINE, "sufficient"),
    (check_mpd_permissions(AWAY), Severity.UNKNOWN, "not connected to MPD"),
    (
        check_mpd_permissions(replace(MPD, missing_features=("no picks: give it control", "x"))),
        Severity.PROBLEM,
        "no picks (and 1 more) give it control",
    ),
    (check_stickers(MPD), Severity.FINE, "available"),
    (check_stickers(AWAY), Severity.UNKNOWN, "not connected to MPD"),
    (check_stickers(replace(MPD, stickers=False)), Severity.ADVICE, "set sticker_file"),
    (check_socket(SOCKET, None), Severity.FINE, "answers on /run/a.sock"),
    (check_socket(SOCKET, "refused"), Severity.PROBLEM, "start `anagnorisisd`"),
    (check_disk_space(DISK, 8_000_000), Severity.FINE, "1,000 MB free at /state"),
    (check_disk_space(DISK, 800_000_000), Severity.ADVICE, "copies the database"),
    (check_disk_space(replace(DISK, free_bytes=1), 0), Severity.PROBLEM, "free disk space"),
    (check_disk_space(replace(DISK, reason="no"), 0), Severity.PROBLEM, "make it writable"),
    (check_database(KNOWN, None), Severity.FINE, "8 MB, intact"),
    (check_database(None, None), Severity.FINE, "none; created"),
    (
        check_database(None, "a.db is locked; close it"),
        Severity.PROBLEM,
        "a.db is locked close it",
    ),
    (check_database(replace(KNOWN, to_migrate=1), None), Severity.FINE, "at the next start"),
    (
        check_database(replace(KNOWN, damage="bad page", backup=Path("/b.db")), None),
        Severity.PROBLEM,
        "`anagnorisisd restore /b.db`",
    ),
    (check_embedder("features-1", None, KNOWN), Severity.FINE, "features-1"),
    (check_embedder("features-1", None, None), Severity.FINE, "features-1"),
    (check_embedder("f-1", None, replace(KNOWN, failed=2)), Severity.ADVICE, "--state failed"),
    (check_embedder("f-1", "weights: denied", KNOWN), Severity.ADVICE, "weights: denied"),
    (check_embedder("f-1", "no torch; `install it`", KNOWN), Severity.ADVICE, "`install it`"),
    (
        check_embedder("f-1", None, KNOWN, has_musicnn=False),
        Severity.ADVICE,
        "fetch-model musicnn",
    ),
    (check_embedder(None, "no weights; fetch them", None), Severity.PROBLEM, "fetch them"),
    (check_confinement(ConfinementFacts(landlock=7)), Severity.FINE, "cannot access other files"),
    (check_confinement(ConfinementFacts(("send by UDP",), 4)), Severity.ADVICE, "libseccomp"),
    (check_confinement(ConfinementFacts(("read files",), 0)), Severity.ADVICE, "5.13"),
    (check_confinement(ConfinementFacts(reason="died")), Severity.UNKNOWN, "died"),
    (check_executor(ExecutorFacts()), Severity.FINE, "this computer"),
    (check_executor(ExecutorFacts(HOST, 2)), Severity.FINE, "usable workers: 2"),
    (check_executor(ExecutorFacts(HOST, reason="away")), Severity.PROBLEM, "docs/distributed.md"),
    (check_executor(ExecutorFacts(HOST, reason="no x; get it")), Severity.PROBLEM, "no x get it"),
    (
        check_executor(ExecutorFacts(HOST, 1, incapable=("a: b",))),
        Severity.ADVICE,
        "unusable: a: b",
    ),
    (check_executor(ExecutorFacts("tcp://desk:1", 2)), Severity.ADVICE, "not encrypted"),
    (check_executor(ExecutorFacts("tls://desk:1", 2)), Severity.FINE, "tls://desk:1"),
    (check_evaluator(KNOWN, 10), Severity.FINE, "version 3, 20 rated tracks"),
    (check_evaluator(replace(KNOWN, rated=1), 10), Severity.FINE, "3, 1 rated track"),
    (check_evaluator(None, 10), Severity.ADVICE, "none yet, 0 rated tracks rate 10 more"),
    (check_evaluator(replace(KNOWN, evaluator=None, rated=4), 10), Severity.ADVICE, "rate 6 more"),
    (check_evaluator(replace(KNOWN, evaluator=None), 10), Severity.ADVICE, "`anagnorisis train`"),
    (check_last_training(KNOWN, NIGHTLY, NOW), Severity.FINE, "today: not worse"),
    (check_last_training(None, NIGHTLY, NOW), Severity.FINE, "none yet"),
    (check_last_training(KNOWN, NIGHTLY, NOW + 9 * 86_400), Severity.ADVICE, "9 days ago"),
    (
        check_last_training(KNOWN, NIGHTLY, NOW - 86_400),
        Severity.FINE,
        "has the clock been set back?",
    ),
    (
        check_last_training(FAILED, NIGHTLY, NOW),
        Severity.PROBLEM,
        "today: failed: no memory; the daemon tries again at 15 June, 14:16",
    ),
    (
        check_last_training(replace(FAILED, failed_trainings=99), NIGHTLY, NOW),
        Severity.PROBLEM,
        "no memory (99 times); the daemon tries again at 16 June, 03:30",
    ),
    (check_units((SYSTEM, USER)), Severity.ADVICE, "`anagnorisisd install`"),
    (
        check_units((SYSTEM, replace(USER_ACTIVE, restarts=2))),
        Severity.FINE,
        "anagnorisis.service (user) is active, restarted 2 times",
    ),
    (check_units((SYSTEM_ACTIVE, USER)), Severity.FINE, "anagnorisis.service (system) is active"),
    (
        check_units((replace(SYSTEM, active="reloading"), replace(USER, active="inactive"))),
        Severity.FINE,
        "(system) is active",
    ),
    (check_units((SYSTEM_ACTIVE, USER_ACTIVE)), Severity.ADVICE, "disable --now"),
    (
        check_units((SYSTEM, replace(USER_ACTIVE, enabled=False))),
        Severity.ADVICE,
        "`systemctl --user enable anagnorisis`",
    ),
    (
        check_units((replace(SYSTEM_ACTIVE, outdated=True), USER)),
        Severity.ADVICE,
        "`systemctl daemon-reload`, then `systemctl restart anagnorisis`",
    ),
    (
        check_units((replace(SYSTEM, active="failed", result="exit-code"), USER)),
        Severity.PROBLEM,
        "(system) failed: exit-code `journalctl -u anagnorisis` shows its log",
    ),
    (
        check_units(
            (
                replace(SYSTEM, active="inactive"),
                replace(USER, active="activating", result="exit-code"),
            )
        ),
        Severity.PROBLEM,
        "(user) is activating: exit-code `journalctl --user -u anagnorisis` shows its log",
    ),
    (
        check_units((replace(SYSTEM, active="inactive"), USER)),
        Severity.ADVICE,
        "is inactive `systemctl start anagnorisis`",
    ),
]


@pytest.mark.parametrize(("finding", "severity", "text"), ROWS)
def test_each_check_in_each_outcome(finding: Finding, severity: Severity, text: str) -> None:
    assert finding.severity is severity
    assert text in f"{finding.message} {finding.remedy}"
    needs_remedy = severity in {Severity.ADVICE, Severity.PROBLEM}
    assert bool(finding.remedy) is needs_remedy


FINDINGS = [
    fine("disk", "free"),
    advice("unit", "none", "install one"),
    problem("MPD", "away", "go"),
]


def test_the_text_has_a_remedy_below_each_problem_and_advice() -> None:
    assert as_text(FINDINGS).splitlines() == [
        "ok disk             free",
        "-- unit             none",
        "                    -> install one",
        "!! MPD              away",
        "                    -> go",
    ]


def test_the_json_has_everything() -> None:
    assert json.loads(as_json(FINDINGS))[2] == {
        "subject": "MPD",
        "severity": "problem",
        "message": "away",
        "remedy": "go",
    }


def test_advice_is_not_a_problem() -> None:
    assert not has_problem(FINDINGS[:2])
    assert has_problem(FINDINGS)


OUTPUT = """\
Result=success
NRestarts=1
LoadState=loaded
ActiveState=active
UnitFileState=enabled-runtime
NeedDaemonReload=yes
"""


def test_the_output_of_systemctl_show_is_parsed() -> None:
    found = parse_unit(OUTPUT, of_user=True)

    assert found == UnitFacts(True, "active", "success", 1, enabled=True, outdated=True)
    assert parse_unit("LoadState=not-found\nActiveState=inactive\n", of_user=True) == USER
    assert parse_unit("", of_user=False) == SYSTEM
