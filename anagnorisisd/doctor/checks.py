"""The checks: pure functions from facts to findings."""

from datetime import datetime, time
from pathlib import Path

from anagnorisisd.config.schema import Training, Watch
from anagnorisisd.doctor.finding import Finding, advice, fine, problem, unknown
from anagnorisisd.doctor.probe import (
    ConfinementFacts,
    DiskFacts,
    ExecutorFacts,
    MpdFacts,
    MusicFacts,
    RunningDaemon,
)
from anagnorisisd.domain.embedding import METADATA
from anagnorisisd.runtime.daily_schedule import next_try, zone_named
from anagnorisisd.storage.health import DatabaseHealth

MIN_FREE_BYTES = 50_000_000
DAY_SECONDS = 86_400
TRAINING_OVERDUE_DAYS = 3
LOOPBACK = ("tcp://127.", "tcp://localhost:", "tcp://[::1]:")
NO_FILES = "not needed; music.source is mpd"
DASK_REMEDY = "see docs/distributed.md for the set-up of scheduler and workers"


def check_config(
    problems: tuple[str, ...], files: tuple[Path, ...], running: RunningDaemon | None = None
) -> Finding:
    """Check the configuration; with a running daemon, report the settings that it uses."""
    if problems:
        return problem("config", "; ".join(problems), "correct it; `config.yaml` shows every key")
    message = f"read from {', '.join(map(str, files))}" if files else "no file; all defaults"
    if running is None:
        return fine("config", message)
    return fine("config", f"{message}; the running daemon uses {running}")


def check_music(music: MusicFacts | None) -> Finding:
    """Check that the music directory is readable and has music; `None`: MPD has the songs."""
    if music is None:
        return fine("music directory", NO_FILES)
    if music.reason:
        return problem(
            "music directory",
            f"{music.path}: {music.reason}",
            "mount it, make it readable for this user, or set music.directory",
        )
    if not music.files:
        return advice(
            "music directory",
            f"{music.path} has no files in the formats of music.formats",
            "add music, or set music.directory",
        )
    return fine("music directory", f"{_plural(music.files, 'file')} in {music.path}")


def check_watch_limit(music: MusicFacts | None, watch: Watch, limit: int | None) -> Finding:
    """Check that inotify can watch every directory; `music` as for `check_music`."""
    if music is None:
        return fine("watch limit", NO_FILES)
    if watch is not Watch.INOTIFY:
        return fine("watch limit", f"not needed; music.watch is {watch.value}")
    directories = "1 directory" if music.directories == 1 else f"{music.directories} directories"
    if limit is None:
        return unknown("watch limit", f"{directories}; cannot read the kernel's limit")
    message = f"{directories}; the kernel's limit is {limit}"
    if music.directories >= limit:
        return problem(
            "watch limit",
            message,
            f"sysctl fs.inotify.max_user_watches={max(1 << 20, 2 * music.directories)},"
            " or set music.watch to poll",
        )
    return fine("watch limit", message)


def check_mpd(mpd: MpdFacts) -> Finding:
    """Check the connection to MPD."""
    if mpd.too_old:
        return problem(
            "MPD",
            f"protocol version {mpd.version} at {mpd.address} is not supported",
            "use MPD 0.21 or later; the MPD front end of Mopidy has 0.19",
        )
    if mpd.reason is None:
        return fine("MPD", f"version {mpd.version} at {mpd.address}")
    remedy = (
        "check mpd.password_file and mpd.partition"
        if mpd.refused
        else "start MPD, or set mpd.address to its socket or host:port"
    )
    return problem("MPD", mpd.reason, remedy)


def check_mpd_permissions(mpd: MpdFacts) -> Finding:
    """Check that MPD permits the commands that the daemon needs."""
    if mpd.reason is not None:
        return unknown("MPD permissions", "not connected to MPD")
    if mpd.missing_features:
        message, _, remedy = mpd.missing_features[0].partition(": ")
        others = len(mpd.missing_features) - 1
        return problem(
            "MPD permissions", message + (f" (and {others} more)" * bool(others)), remedy
        )
    return fine("MPD permissions", "sufficient")


def check_mpd_database(mpd: MpdFacts) -> Finding:
    """Check that MPD lists the tracks of the library."""
    if mpd.unlisted is None:
        return unknown("MPD database", "no running daemon that is connected to MPD")
    if mpd.unlisted:
        message, _, remedy = mpd.unlisted.partition("; ")
        return problem("MPD database", message, remedy)
    return fine("MPD database", "has all tracks of the library")


def check_stickers(mpd: MpdFacts) -> Finding:
    """Check that ratings can be shared with other MPD clients."""
    if mpd.reason is not None:
        return unknown("stickers", "not connected to MPD")
    if not mpd.stickers:
        return advice(
            "stickers",
            "not available; other MPD clients cannot display or set ratings",
            "set sticker_file in mpd.conf, and grant the permission admin",
        )
    return fine("stickers", "available")


def check_socket(socket: Path, reason: str | None) -> Finding:
    """Check that a daemon is running; `reason` says why it does not answer."""
    if reason is None:
        return fine("socket", f"the daemon answers on {socket}")
    return problem(
        "socket",
        f"no daemon on {socket}: {reason}",
        "start `anagnorisisd` or its systemd unit; if it exits, see its log",
    )


def check_disk_space(disk: DiskFacts, database_bytes: int) -> Finding:
    """Check that there is space for the database, and for a copy of it."""
    if disk.reason:
        return problem(
            "disk space",
            f"{disk.path}: {disk.reason}",
            "make it writable for this user, or set state.directory",
        )
    message = f"{_megabytes(disk.free_bytes)} free at {disk.path}"
    if disk.free_bytes < MIN_FREE_BYTES:
        return problem("disk space", message, "free disk space; ratings cannot be stored")
    if disk.free_bytes < 2 * database_bytes:
        return advice("disk space", message, "free disk space; an upgrade copies the database")
    return fine("disk space", message)


def check_database(health: DatabaseHealth | None, reason: str | None) -> Finding:
    """Check the database; `reason` says why it cannot be read."""
    if reason is not None:
        message, _, remedy = reason.partition("; ")
        return problem("database", message, remedy or "see the daemon's log")
    if health is None:
        return fine("database", "none; created at the first start")
    if health.damage is not None:
        return problem(
            "database",
            f"{health.path} is damaged: {health.damage}",
            "stop the daemon and restore a backup: "
            f"`anagnorisisd restore {health.backup or 'FILE'}`",
        )
    migration = ", to be migrated at the next start" if health.to_migrate else ""
    return fine("database", f"{_megabytes(health.size_bytes)}, intact{migration}")


def check_embedder(
    stamp: str | None,
    reason: str | None,
    health: DatabaseHealth | None,
    *,
    has_musicnn: bool = True,
) -> Finding:
    """Check that tracks can be embedded.

    Without a `stamp`, `reason` says why not; with one, why a better embedder is not used.
    """
    if stamp is None:
        message, _, remedy = (reason or "").partition("; ")
        return problem("embedder", message, remedy or "set embedding.embedder to auto")
    if reason:
        message, _, remedy = reason.partition("; ")
        remedy = remedy or "make the weights readable for this user"
        return advice("embedder", f"{stamp}; {message}", remedy)
    if health is not None and health.failed:
        return advice(
            "embedder",
            f"{stamp}; embedding failed for {_plural(health.failed, 'track')}",
            "`anagnorisis tracks --state failed` lists the reasons",
        )
    if not has_musicnn:
        return advice(
            "embedder",
            f"{stamp}; the weights of MusiCNN, which describes music better, are missing",
            "`anagnorisisd fetch-model musicnn`",
        )
    return fine("embedder", stamp)


def embedder_without_files() -> Finding:
    """Return what takes the place of an embedder where there is no audio."""
    return fine(
        "embedder", f"{METADATA}; ratings are predicted by artist, album, genre, folder and year"
    )


def check_executor(executor: ExecutorFacts) -> Finding:
    """Check that the Dask workers can embed, and that the connection is encrypted."""
    if not executor.address:
        return fine("executor", "this computer")
    if executor.reason:
        message, _, remedy = executor.reason.partition("; ")
        return problem("executor", f"{executor.address}: {message}", remedy or DASK_REMEDY)
    message = f"{executor.address}, usable workers: {executor.workers}"
    if executor.incapable:
        return advice(
            "executor", f"{message}; unusable: {'; '.join(executor.incapable)}", DASK_REMEDY
        )
    if executor.address.startswith("tcp:") and not executor.address.startswith(LOOPBACK):
        return advice(
            "executor", f"{message}; not encrypted", "use TLS unless you trust the network"
        )
    return fine("executor", message)


def check_confinement(confinement: ConfinementFacts) -> Finding:
    """Check that the kernel can confine the processes that read music files."""
    if confinement.reason is not None:
        return unknown("confinement", confinement.reason)
    if not confinement.possible:
        return fine("confinement", "worker processes cannot access other files or the network")
    if confinement.landlock:
        remedy = "install libseccomp; a newer kernel confines more"
    else:
        remedy = "use Linux 5.13 or later with Landlock, and install libseccomp"
    actions = ", ".join(confinement.possible)
    return advice("confinement", f"worker processes can {actions}", remedy)


def check_evaluator(health: DatabaseHealth | None, minimum_ratings: int) -> Finding:
    """Check that an evaluator predicts ratings."""
    rated = health.rated if health else 0
    message = _plural(rated, "rated track")
    if health is not None and health.evaluator is not None:
        return fine("evaluator", f"version {health.evaluator}, {message}")
    if rated < minimum_ratings:
        return advice(
            "evaluator",
            f"none yet, {message}",
            f"rate {minimum_ratings - rated} more: `anagnorisis rate 8`",
        )
    return advice("evaluator", f"none yet, {message}", "`anagnorisis train`")


def check_last_training(health: DatabaseHealth | None, training: Training, now: float) -> Finding:
    """Check when the last training ended, and its result; `now` is unix seconds."""
    if health is None or health.trained_at is None:
        return fine("last training", "none yet")
    days = (now - health.trained_at) / DAY_SECONDS
    message = f"{_ago(days)}: {health.training}"
    if health.failed_trainings:
        zone = zone_named(training.timezone)
        at = time.fromisoformat(training.time)
        due = next_try(health.failed_trainings, health.trained_at, at, zone)
        again = datetime.fromtimestamp(due, zone).strftime("%d %B, %H:%M")
        times = "" if health.failed_trainings == 1 else f" ({health.failed_trainings} times)"
        return problem(
            "last training",
            f"{message}{times}; the daemon tries again at {again}",
            "`anagnorisis train` tries again now; see the daemon's log",
        )
    if days > TRAINING_OVERDUE_DAYS:
        return advice(
            "last training", message, "keep the daemon running, or run `anagnorisis train`"
        )
    return fine("last training", message)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def _ago(days: float) -> str:
    if days < 0:
        return "in the future (has the clock been set back?)"
    return "today" if days < 1 else f"{_plural(round(days), 'day')} ago"
