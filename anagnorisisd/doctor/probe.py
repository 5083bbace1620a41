"""Collect facts about the system. Changes nothing; a failure is returned as a fact, too."""

import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from anagnorisis.mpd_address import candidates
from anagnorisisd.config.schema import Embedding, Executor, Mpd, Music
from anagnorisisd.domain.embedding import EmbeddingPlan
from anagnorisisd.embedding.dask import client
from anagnorisisd.embedding.dask.embedder import DaskEmbedder
from anagnorisisd.errors import ConfigError, PlayerRefused, PlayerUnavailable, WorkerLost
from anagnorisisd.library.directory_walker import ExclusionRules
from anagnorisisd.mpd.session import NO_STICKER_PERMISSION, NO_STICKERS, is_too_old, open_first
from anagnorisisd.workers.confinement import landlock_version
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths

WATCH_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
TIMEOUT_SECONDS = 5.0
CONFINEMENT_TEST = "anagnorisisd.workers.confinement:probe"


@dataclass(frozen=True, slots=True)
class MusicFacts:
    """The music directory; `reason` says why it cannot be listed."""

    path: Path
    reason: str | None
    directories: int = 0
    files: int = 0
    """The number of files in a configured format."""


@dataclass(frozen=True, slots=True)
class MpdFacts:
    """The connection to MPD; `reason` says why there is none.

    `refused` tells an error of MPD, a wrong password for example, from a failed connection.
    """

    address: str
    version: str | None = None
    reason: str | None = None
    refused: bool = False
    missing_features: tuple[str, ...] = ()
    stickers: bool = True
    unlisted: str | None = None
    """Why tracks are not in its database, with a remedy after a semicolon; empty if all are.

    `None` if that is not known: only a running daemon tells."""
    too_old: bool = False
    """Whether its protocol version is not supported."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The file system of the state directory; `reason` says why it cannot be written."""

    path: Path
    free_bytes: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorFacts:
    """The Dask scheduler that computes embeddings; without `address` this computer does.

    `reason` says why it cannot, and `incapable` why individual workers cannot.
    """

    address: str = ""
    workers: int = 0
    reason: str = ""
    incapable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfinementFacts:
    """What a confined worker process can do; `reason` says why the test failed."""

    possible: tuple[str, ...] = ()
    landlock: int = 0
    """ABI version of Landlock in the kernel; 0 without Landlock."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """The settings of a running daemon, from its configuration, flags and environment."""

    socket: Path
    music: Path
    state: Path
    models: Path
    mpd: str
    connection: MpdFacts | None = None
    """Its connection to MPD; `None` while not connected."""

    def __str__(self) -> str:
        return f"music in {self.music}, state in {self.state}, MPD at {self.mpd}"


def probe_music(path: Path, config: Music) -> MusicFacts:
    """Count the directories and music files below `path`."""
    reason = _unreadable_reason(path)
    if reason is not None:
        return MusicFacts(path, reason)
    rules = ExclusionRules(config.formats, config.exclude)
    directories = files = 0
    for _, _, names in os.walk(os.fsencode(path)):
        directories += 1
        files += sum(rules.has_music_extension(name) for name in names)
    return MusicFacts(path, None, directories, files)


def _unreadable_reason(path: Path) -> str | None:
    """Return why a directory cannot be listed, or `None` if it can."""
    reasons: list[str | None] = []

    def try_to_list() -> None:
        try:
            os.scandir(path).close()
            reasons.append(None)
        except OSError as error:
            reasons.append(error.strerror or str(error))

    # A disconnected network share can block this thread forever; a daemon thread lets us exit.
    thread = threading.Thread(target=try_to_list, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    return reasons[0] if reasons else "no answer; it may be a disconnected network share"


def probe_watch_limit() -> int | None:
    """Return the maximum number of inotify watches; `None` if the kernel does not tell."""
    try:
        return int(WATCH_LIMIT.read_text())
    except (OSError, ValueError):
        return None


async def probe_mpd(config: Mpd, library: Path | None, variables: Mapping[str, str]) -> MpdFacts:
    """Connect to MPD as the daemon does, and disconnect; `library` as for `MpdPlayer`."""
    addresses = candidates(config.address, variables)
    address = str(addresses[0])
    try:
        session = await open_first(addresses, config, library, channel="")
    except PlayerUnavailable as error:
        return MpdFacts(address, reason=str(error))
    except PlayerRefused as error:
        return MpdFacts(address, reason=str(error), refused=True)
    with closing(session):
        return mpd_facts(str(session.address), session.commands.version, session.missing_features)


def mpd_facts(address: str, version: str, missing_features: Sequence[str]) -> MpdFacts:
    """Return the facts of an open connection."""
    without_stickers = {NO_STICKERS, NO_STICKER_PERMISSION}
    return MpdFacts(
        address,
        version=version,
        missing_features=tuple(text for text in missing_features if text not in without_stickers),
        stickers=not without_stickers & set(missing_features),
        too_old=is_too_old(version),
    )


def probe_socket(path: Path) -> str | None:
    """Return why a connection to a Unix socket fails, or `None` if it succeeds."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(TIMEOUT_SECONDS)
        try:
            caller.connect(str(path))
        except OSError as error:
            return error.strerror or str(error)
    return None


def probe_disk(path: Path) -> DiskFacts:
    """Return the free space of the file system of `path`, which need not exist yet."""
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    reason = None if os.access(existing, os.W_OK | os.X_OK) else "not writable"
    return DiskFacts(path, shutil.disk_usage(existing).free, reason)


async def probe_executor(
    config: Embedding, plan: EmbeddingPlan | None, music: Path
) -> ExecutorFacts:
    """Ask the workers of the Dask scheduler whether they can execute `plan`."""
    address = config.dask.address or ""
    if config.executor is Executor.LOCAL:
        return ExecutorFacts()
    if plan is None:
        return ExecutorFacts(address, reason="not checked, because there is no usable embedder")
    # The findings say the same as these log messages.
    logging.getLogger(client.__name__).setLevel(logging.CRITICAL)
    try:
        embedder = DaskEmbedder(plan, config, music)
    except ConfigError as error:
        return ExecutorFacts(address, reason=error.problems[0])
    try:
        incapable = await embedder.check_workers()
        state = embedder.executor
        return ExecutorFacts(address, state.workers, state.problem, incapable)
    finally:
        await embedder.close()


async def probe_confinement() -> ConfinementFacts:
    """Let a confined worker process try actions that must be denied."""
    paths = ReadablePaths("/nowhere")
    pool = WorkerPool(name="doctor", size=1, idle_seconds=TIMEOUT_SECONDS, readable_paths=paths)
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
                    CONFINEMENT_TEST,
                    name,
                    tcp.getsockname()[1],
                    timeout_seconds=30.0,
                    result_type=list[str],
                )
            except WorkerLost as error:
                return ConfinementFacts(reason=str(error))
            finally:
                await pool.close()
    return ConfinementFacts(tuple(possible), landlock_version())
