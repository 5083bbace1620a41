"""The checks: from facts to findings, without looking at anything themselves."""

from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from anagnorisisd.config.schema import Training, Watch
from anagnorisisd.doctor.facts import (
    ConfinementFacts,
    DiskFacts,
    ExecutorFacts,
    FolderFacts,
    MpdFacts,
    Running,
    UnitFacts,
)
from anagnorisisd.doctor.finding import Finding, advice, fine, problem, unknown
from anagnorisisd.runtime.daily_schedule import next_try
from anagnorisisd.storage.health import DatabaseHealth

LEAST_FREE_BYTES = 50_000_000
DAY_SECONDS = 86_400
TRAINING_OVERDUE_DAYS = 3
LOOPBACK = ("tcp://127.", "tcp://localhost:", "tcp://[::1]:")
HOW_TO_DISTRIBUTE = "docs/distributed.md says what a scheduler and its workers need"


def config(
    problems: tuple[str, ...], files: tuple[Path, ...], running: Running | None = None
) -> Finding:
    """Judge the configuration; a daemon that runs may have been told other things."""
    if problems:
        return problem("config", "; ".join(problems), "correct it; `config.yaml` shows every key")
    read = ", ".join(map(str, files))
    said = f"read from {read}" if read else "no file; every key has its default"
    if running is None:
        return fine("config", said)
    return fine("config", f"{said}; looked at as the running daemon has it: {running}")


def music_folder(folder: FolderFacts) -> Finding:
    """Judge whether there is music to read."""
    if folder.reason:
        return problem(
            "music folder",
            f"{folder.path}: {folder.reason}",
            "mount it, let this user read it, or set music.directory",
        )
    if not folder.files:
        return advice(
            "music folder",
            f"{folder.path} holds no file of the formats that are read",
            "set music.directory, or put music there",
        )
    return fine("music folder", f"{_counted(folder.files, 'file')} in {folder.path}")


def watch_limit(folder: FolderFacts, watch: Watch, limit: int | None) -> Finding:
    """Judge whether the kernel lets every folder be watched."""
    if watch is not Watch.INOTIFY:
        return fine("watch limit", f"not needed, music.watch is {watch.value}")
    folders = _counted(folder.folders, "folder")
    if limit is None:
        return unknown("watch limit", f"{folders}; the kernel's limit cannot be read")
    said = f"{folders}, {limit} watches are allowed"
    if folder.folders >= limit:
        return problem(
            "watch limit",
            said,
            f"sysctl fs.inotify.max_user_watches={max(1 << 20, 2 * folder.folders)},"
            " or set music.watch to poll",
        )
    return fine("watch limit", said)


def mpd_link(mpd: MpdFacts) -> Finding:
    """Judge whether MPD answers."""
    if mpd.too_old:
        return problem(
            "MPD",
            f"version {mpd.version} of the protocol at {mpd.address} is not supported",
            "use MPD 0.21 or later; the MPD front end of Mopidy speaks 0.19",
        )
    if mpd.reason is None:
        return fine("MPD", f"version {mpd.version} at {mpd.address}")
    remedy = (
        "set mpd.password_file and mpd.partition to what MPD wants"
        if mpd.refused
        else "start MPD, or set mpd.address to its socket or host:port"
    )
    return problem("MPD", mpd.reason, remedy)


def mpd_permissions(mpd: MpdFacts) -> Finding:
    """Judge what MPD allows."""
    if mpd.reason is not None:
        return unknown("MPD permissions", "not known while MPD is away")
    if mpd.lacking:
        said, _, remedy = mpd.lacking[0].partition(": ")
        more = f" (and {len(mpd.lacking) - 1} more)" if len(mpd.lacking) > 1 else ""
        return problem("MPD permissions", said + more, remedy)
    return fine("MPD permissions", "all that is needed")


def stickers(mpd: MpdFacts) -> Finding:
    """Judge whether other MPD clients can show and give ratings."""
    if mpd.reason is not None:
        return unknown("stickers", "not known while MPD is away")
    if not mpd.stickers:
        return advice(
            "stickers",
            "MPD keeps none, so ratings cannot be given or seen in other clients",
            "set sticker_file in mpd.conf and give the permission admin",
        )
    return fine("stickers", "MPD keeps them")


def daemon(socket: Path, reason: str | None) -> Finding:
    """Judge whether a daemon listens; `reason` says why it does not answer."""
    if reason is None:
        return fine("socket", f"a daemon answers on {socket}")
    return problem(
        "socket",
        f"no daemon answers on {socket}: {reason}",
        "start it with `anagnorisisd` or its unit; its log says why if it leaves",
    )


def disk_space(disk: DiskFacts, database_bytes: int) -> Finding:
    """Judge whether there is room for what is learnt, and for a copy of the database."""
    if disk.reason:
        return problem(
            "disk space",
            f"{disk.path}: {disk.reason}",
            "make it writable for this user, or set state.directory",
        )
    said = f"{_megabytes(disk.free_bytes)} free at {disk.path}"
    if disk.free_bytes < LEAST_FREE_BYTES:
        return problem("disk space", said, "free some space; ratings need a place on the disk")
    if disk.free_bytes < 2 * database_bytes:
        return advice(
            "disk space", said, "free some space: an upgrade copies the database before it changes"
        )
    return fine("disk space", said)


def database(condition: DatabaseHealth | None, reason: str | None) -> Finding:
    """Judge what is known; `reason` says why it cannot be read."""
    if reason is not None:
        said, _, remedy = reason.partition("; ")
        return problem("database", said, remedy or "look at the daemon's log")
    if condition is None:
        return fine("database", "none yet; the first start makes it")
    if condition.damage is not None:
        backup = condition.backup or "FILE"
        return problem(
            "database",
            f"{condition.path} is damaged: {condition.damage}",
            f"stop the daemon and put a backup in its place: `anagnorisisd restore {backup}`",
        )
    migrating = ", brought up to date at the next start" if condition.to_migrate else ""
    return fine("database", f"{_megabytes(condition.size_bytes)}, whole{migrating}")


def embedder(stamp: str | None, reason: str | None, condition: DatabaseHealth | None) -> Finding:
    """Judge whether tracks can be embedded.

    `reason` says why not, or with a `stamp` why nothing better is used.
    """
    if stamp is None:
        said, _, remedy = (reason or "").partition("; ")
        return problem("embedder", said, remedy or "set embedding.embedder to auto")
    if reason:
        return advice("embedder", f"{stamp}; {reason}", "let this user read the weights")
    if condition is not None and condition.failed:
        return advice(
            "embedder",
            f"{stamp}; {_counted(condition.failed, 'track')} cannot be embedded",
            "`anagnorisis tracks --state failed` says why, each",
        )
    return fine("embedder", stamp)


def executor(facts: ExecutorFacts) -> Finding:
    """Judge whether somebody makes the vectors, and whether others could listen in."""
    if not facts.address:
        return fine("executor", "this computer")
    if facts.reason:
        said, _, remedy = facts.reason.partition("; ")
        return problem("executor", f"{facts.address}: {said}", remedy or HOW_TO_DISTRIBUTE)
    said = f"{facts.address}, workers that embed: {facts.workers}"
    if facts.unfit:
        return advice(
            "executor", f"{said}; others do not: {'; '.join(facts.unfit)}", HOW_TO_DISTRIBUTE
        )
    if facts.address.startswith("tcp:") and not facts.address.startswith(LOOPBACK):
        return advice("executor", f"{said}; not encrypted", "use TLS unless the network is yours")
    return fine("executor", said)


def confinement(facts: ConfinementFacts) -> Finding:
    """Judge whether processes that read foreign files are confined on this kernel."""
    if facts.reason is not None:
        return unknown("confinement", facts.reason)
    if not facts.possible:
        return fine("confinement", "readers of music reach neither other files nor a network")
    if facts.landlock:
        remedy = "install libseccomp; a newer kernel confines more"
    else:
        remedy = "use a kernel of 5.13 or later with Landlock, and install libseccomp"
    said = f"readers of music could {', '.join(facts.possible)}"
    return advice("confinement", said, remedy)


def evaluator(condition: DatabaseHealth | None, minimum_ratings: int) -> Finding:
    """Judge whether there is something that predicts ratings."""
    rated = condition.rated if condition else 0
    said = f"{_counted(rated, 'track')} {'is' if rated == 1 else 'are'} rated"
    if condition is not None and condition.evaluator is not None:
        return fine("evaluator", f"version {condition.evaluator}, {said}")
    if rated < minimum_ratings:
        return advice(
            "evaluator",
            f"none yet, {said}",
            f"rate {minimum_ratings - rated} more: `anagnorisis rate 8`",
        )
    return advice("evaluator", f"none yet, {said}", "`anagnorisis train`")


def last_training(condition: DatabaseHealth | None, training: Training, now: float) -> Finding:
    """Judge when and how the last training ended, and say when a failed one is tried again."""
    if condition is None or condition.trained_at is None:
        return fine("last training", "none yet")
    days = (now - condition.trained_at) / DAY_SECONDS
    said = f"{_ago(days)}: {condition.training}"
    if condition.failed_trainings:
        zone = ZoneInfo(training.timezone) if training.timezone else None
        at = time.fromisoformat(training.time)
        due = next_try(condition.failed_trainings, condition.trained_at, at, zone)
        again = datetime.fromtimestamp(due, zone).strftime("%d %B, %H:%M")
        times = "" if condition.failed_trainings == 1 else f" ({condition.failed_trainings} times)"
        return problem(
            "last training",
            f"{said}{times}; a running daemon tries again at {again}",
            "`anagnorisis train` tries again at once; the daemon's log says more",
        )
    if days > TRAINING_OVERDUE_DAYS:
        return advice(
            "last training", said, "let the daemon run at training.time, or `anagnorisis train`"
        )
    return fine("last training", said)


def unit(units: tuple[UnitFacts, ...]) -> Finding:
    """Judge whether systemd keeps the daemon running."""
    known = [unit for unit in units if unit.active]
    running = [unit for unit in known if unit.active in {"active", "reloading"}]
    unread = next((unit for unit in units if unit.unread), None)
    if not known and unread is not None:
        systemctl = _command("systemctl", unread)
        return advice(
            "unit",
            f"{unread.unread} is there, but systemd has not read it",
            f"`{systemctl} daemon-reload`, then `{systemctl} enable --now anagnorisis`",
        )
    if not known:
        return advice(
            "unit", "no unit is installed", "`anagnorisisd install` has it start with your session"
        )
    if len(running) > 1:
        return advice(
            "unit",
            "both yours and that of the system are active, and both pick for you",
            "`systemctl --user disable --now anagnorisis`, or as root the same without --user",
        )
    if running:
        return _running(running[0])
    return _stopped(next((one for one in known if one.active != "inactive"), known[0]))


def _running(unit: UnitFacts) -> Finding:
    restarts = f", restarted {_counted(unit.restarts, 'time')}" if unit.restarts else ""
    said = f"{_name(unit)} is active{restarts}"
    if unit.outdated:
        systemctl = _command("systemctl", unit)
        return advice(
            "unit",
            f"{said}, but its file has changed since",
            f"`{systemctl} daemon-reload`, then `{systemctl} restart anagnorisis`",
        )
    if not unit.enabled:
        enable = f"`{_command('systemctl', unit)} enable anagnorisis`"
        return advice("unit", f"{said}, but does not start by itself", enable)
    return fine("unit", said)


def _stopped(unit: UnitFacts) -> Finding:
    if unit.active == "inactive":
        start = f"`{_command('systemctl', unit)} start anagnorisis`"
        return advice("unit", f"{_name(unit)} is not started", start)
    failing = "failed" if unit.active == "failed" else f"is {unit.active}"
    said = f"{_name(unit)} {failing}: {unit.result}"
    return problem("unit", said, f"`{_command('journalctl', unit)} -u anagnorisis` says why")


def _name(unit: UnitFacts) -> str:
    return f"anagnorisis.service ({'user' if unit.of_user else 'system'})"


def _command(program: str, unit: UnitFacts) -> str:
    return f"{program} --user" if unit.of_user else program


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def _ago(days: float) -> str:
    if days < 0:
        return "in the future (has the clock been set back?)"
    return "today" if days < 1 else f"{_counted(round(days), 'day')} ago"
