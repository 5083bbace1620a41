"""Gathering the facts. Looks, and changes nothing; what cannot be seen is itself a fact."""

import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import platformdirs

from anagnorisisd.config.schema import Embedding, Executor, Mpd, Music
from anagnorisisd.doctor.facts import (
    ConfinementFacts,
    DiskFacts,
    ExecutorFacts,
    FolderFacts,
    MpdFacts,
    UnitFacts,
)
from anagnorisisd.domain.embedding import EmbeddingPlan
from anagnorisisd.embedding.dask import client
from anagnorisisd.embedding.dask.embedder import DaskEmbedder
from anagnorisisd.errors import ConfigError, PlayerRefused, PlayerUnavailable, WorkerLost
from anagnorisisd.library.directory_walker import ExclusionRules
from anagnorisisd.mpd.address import candidates
from anagnorisisd.mpd.session import NO_STICKER_PERMISSION, NO_STICKERS, is_too_old, open_first
from anagnorisisd.workers.confinement import landlock_version
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

WATCH_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
SECONDS = 5.0
TRIAL = "anagnorisisd.workers.confinement_probe:attempt"
UNIT = "anagnorisis.service"
UNIT_DIRECTORIES = tuple(
    map(Path, ("/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"))
)
PROPERTIES = "LoadState,ActiveState,Result,NRestarts,UnitFileState,NeedDaemonReload"


def at_folder(path: Path, config: Music) -> FolderFacts:
    """Count the folders and the music files below `path`."""
    reason = _unreadable(path)
    if reason is not None:
        return FolderFacts(path, reason)
    rules = ExclusionRules(config.formats, config.exclude)
    folders = files = 0
    for _, _, names in os.walk(os.fsencode(path)):
        folders += 1
        files += sum(rules.has_music_ending(name) for name in names)
    return FolderFacts(path, None, folders, files)


def _unreadable(path: Path) -> str | None:
    """Return why a folder cannot be listed, if it cannot; a network share may not even say so."""
    reasons: list[str | None] = []

    def try_it() -> None:
        try:
            os.scandir(path).close()
            reasons.append(None)
        except OSError as error:
            reasons.append(error.strerror or str(error))

    # A daemon's thread: the doctor leaves although it hangs.
    trying = threading.Thread(target=try_it, daemon=True)
    trying.start()
    trying.join(SECONDS)
    return reasons[0] if reasons else "it does not answer, as a network share that is away"


def at_watch_limit() -> int | None:
    """Return how many folders a user may watch; `None` where the kernel does not say."""
    try:
        return int(WATCH_LIMIT.read_text())
    except (OSError, ValueError):
        return None


async def at_mpd(config: Mpd, library: Path, variables: Mapping[str, str]) -> MpdFacts:
    """Log in to MPD as the daemon does, and leave."""
    addresses = candidates(config.address, variables)
    address = str(addresses[0])
    try:
        session = await open_first(addresses, config, library, channel="")
    except PlayerUnavailable as error:
        return MpdFacts(address, reason=str(error))
    except PlayerRefused as error:
        return MpdFacts(address, reason=str(error), refused=True)
    with closing(session):
        return mpd_facts(str(session.address), session.commands.version, session.lacking)


def mpd_facts(address: str, version: str, lacking: Sequence[str]) -> MpdFacts:
    """Return the facts of a link that is up; `lacking` is what a session says."""
    without = {NO_STICKERS, NO_STICKER_PERMISSION}
    return MpdFacts(
        address,
        version=version,
        lacking=tuple(lack for lack in lacking if lack not in without),
        stickers=not without & set(lacking),
        too_old=is_too_old(version),
    )


def at_socket(path: Path) -> str | None:
    """Return why nobody answers on a Unix socket, `None` if somebody does."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(SECONDS)
        try:
            caller.connect(str(path))
        except OSError as error:
            return error.strerror or str(error)
    return None


def at_disk(path: Path) -> DiskFacts:
    """Return how much is free where `path` is, or will be."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    reason = None if os.access(there, os.W_OK | os.X_OK) else "cannot be written"
    return DiskFacts(path, shutil.disk_usage(there).free, reason)


async def at_executor(config: Embedding, plan: EmbeddingPlan | None, music: Path) -> ExecutorFacts:
    """Ask the workers of the scheduler whether they can follow `plan`, as the daemon does."""
    address = config.dask.address or ""
    if config.executor is Executor.LOCAL:
        return ExecutorFacts()
    if plan is None:
        return ExecutorFacts(address, reason="not known without an embedder")
    logging.getLogger(client.__name__).setLevel(logging.CRITICAL)  # it is all on the page
    try:
        embedder = DaskEmbedder(plan, config, music)
    except ConfigError as error:
        return ExecutorFacts(address, reason=error.problems[0])
    try:
        unfit = await embedder.looked()
        state = embedder.executor
        return ExecutorFacts(address, state.workers, state.lacking, unfit)
    finally:
        await embedder.close()


async def at_confinement() -> ConfinementFacts:
    """Let a confined worker try what it must not be able to do."""
    pool = WorkerPool(name="trial", size=1, idle_seconds=SECONDS, reach=ReadablePaths("/nowhere"))
    with tempfile.TemporaryDirectory() as name, socket.socket() as tcp:
        folder = Path(name)
        (folder / "secret").touch()
        (folder / "victim").touch()
        with socket.socket(socket.AF_UNIX) as local:
            local.bind(str(folder / "socket"))
            local.listen()
            tcp.bind(("127.0.0.1", 0))
            tcp.listen()
            try:
                possible = await pool.run(
                    TRIAL, name, tcp.getsockname()[1], timeout_seconds=30.0, answer=list[str]
                )
            except WorkerLost as error:
                return ConfinementFacts(reason=str(error))
            finally:
                await pool.close()
    return ConfinementFacts(tuple(possible), landlock_version())


def at_units() -> tuple[UnitFacts, ...]:
    """Return what both systemds, the computer's and the listener's, know of the unit."""
    return tuple(
        unit if unit.active else replace(unit, unread=_unit_file(of_user=unit.of_user))
        for unit in (_unit(of_user=False), _unit(of_user=True))
    )


def _unit_file(*, of_user: bool) -> Path | None:
    """Return the file of a unit that systemd does not know, as right after an installation."""
    if of_user:
        own = (platformdirs.user_config_path("systemd"), Path.home() / ".local/share/systemd")
        folders = [*own, *UNIT_DIRECTORIES]
    else:
        folders = list(UNIT_DIRECTORIES)
    places = (folder / ("user" if of_user else "system") / UNIT for folder in folders)
    return next((path for path in places if path.is_file()), None)


def _unit(*, of_user: bool) -> UnitFacts:
    manager = "--user" if of_user else "--system"
    try:
        done = subprocess.run(
            ["systemctl", manager, "show", UNIT, f"--property={PROPERTIES}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return UnitFacts(of_user)
    return unit_facts(done.stdout, of_user=of_user)


def unit_facts(shown: str, *, of_user: bool) -> UnitFacts:
    """Return the facts in what `systemctl show` prints."""
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if found.get("LoadState") in {None, "not-found"}:
        return UnitFacts(of_user)
    return UnitFacts(
        of_user,
        active=found.get("ActiveState", ""),
        result=found.get("Result", ""),
        restarts=int(found.get("NRestarts") or 0),
        enabled=found.get("UnitFileState", "").startswith("enabled"),
        outdated=found.get("NeedDaemonReload") == "yes",
    )
