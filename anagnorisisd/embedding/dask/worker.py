"""The functions that run on a Dask worker; the daemon calls them by their names.

The vectors are made by the same worker processes as on the daemon's own computer, here as children
of the Dask worker, so that a file that kills or hangs its reader does not stop the Dask worker. The
paths of the weights are those of the configuration on this computer.
"""

import asyncio
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import anagnorisisd
from anagnorisisd.config import load, paths
from anagnorisisd.config.schema import Device
from anagnorisisd.domain.embedding import FilePart
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.dask.protocol import MAX_SENT_BYTES, Answer, EmbeddingSpec, FileJob
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.registry import plan_for
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import AnagnorisisError, EmbedderUnusable, EmbeddingFailed
from anagnorisisd.workers.readable_paths import ReadablePaths

SAME_TIME_SECONDS = 2.0
"""File systems round the modification time, FAT to this."""

DASK_MALLOC_VARIABLE = "MALLOC_TRIM_THRESHOLD_"

LAST_PRIORITY = 100
"""Finalizers of a higher priority run first."""

QUEUED_TRACKS = 1
"""Tracks queued at the worker, so that the next one starts at once."""


def survey(version: str, spec: Mapping[str, Any]) -> Answer:
    """Return how many tracks this worker takes, or why it cannot serve a daemon of `version`."""
    if version != anagnorisisd.__version__:
        return {"incapable": f"has anagnorisisd {anagnorisisd.__version__}, the daemon {version}"}
    threads = _dask_worker().state.nthreads
    try:
        embedder = _host().embedder(EmbeddingSpec.from_dict(spec), threads)
    except AnagnorisisError as error:
        return {"incapable": str(error)}
    return {"slots": min(embedder.concurrency, threads) + QUEUED_TRACKS}


def embed(spec: Mapping[str, Any], job: Mapping[str, Any], content: bytes | None) -> Answer:
    """Embed a file that is visible here, or that was sent as `content`."""
    wanted, file = EmbeddingSpec.from_dict(spec), FileJob.from_dict(job)
    try:
        with ExitStack() as stack:
            if content is not None:
                path = stack.enter_context(_temporary_file(content, Path(file.path).suffix))
            elif _is_visible(file):
                path = file.path
            else:
                return {"not_visible": True}
            vector = _host().embed(wanted, file.part_of(path), _dask_worker().state.nthreads)
    except EmbedderUnusable as error:
        return {"incapable": str(error)}
    except EmbeddingFailed as error:
        return {"failed": str(error), "permanent": error.permanent}
    except FileNotFoundError:
        return {"not_visible": True}
    except OSError as error:
        return {"failed": f"{type(error).__name__}: {error}", "permanent": False}
    return {"vector": vector.astype("<f4").tobytes(), "stamp": str(wanted.stamp)}


class _EmbedderHost:
    """The embedders of this process, and the thread whose event loop runs them."""

    def __init__(self) -> None:
        # Dask's workers are daemonic, and such processes may not have children, which could
        # outlive them. Ours are ended by the finalizer below.
        multiprocessing.current_process().daemon = False
        # Dask makes its workers return free memory at once. Our children would inherit that, and
        # take more than twice as long for a track.
        os.environ.pop(DASK_MALLOC_VARIABLE, None)
        self._embedders: dict[EmbeddingSpec, WorkerEmbedder] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="embedding", daemon=True).start()
        # At exit a process waits for its children, and ours wait for work.
        Finalize(None, self._close_embedders, exitpriority=LAST_PRIORITY)

    def embedder(self, spec: EmbeddingSpec, threads: int) -> WorkerEmbedder:
        """Return the embedder for `spec`, with so many threads; it is created at the first call.

        Raises:
            EmbedderUnusable: they cannot be made here.
            ConfigError: this computer's configuration cannot be used.
        """
        with self._lock:
            if spec not in self._embedders:
                settings = _settings(spec, threads)
                self._embedders[spec] = WorkerEmbedder(
                    plan_for(spec.stamp, settings),
                    idle_seconds=spec.idle_seconds,
                    timeout_seconds=spec.timeout_seconds,
                    # Only the paths of single files are known here, not the music directory.
                    readable_paths=ReadablePaths("/", writable=[settings.cache_directory]),
                )
            return self._embedders[spec]

    def embed(self, spec: EmbeddingSpec, file: str | FilePart, threads: int) -> Vectors:
        """Return the vector of a file; raises as `Embedder.embed` and `embedder` do."""
        work = self.embedder(spec, threads).embed(file)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _close_embedders(self) -> None:
        """End the worker processes."""
        for embedder in self._embedders.values():
            asyncio.run_coroutine_threadsafe(embedder.close(), self._loop).result()


def _settings(spec: EmbeddingSpec, threads: int) -> EmbedderSettings:
    config = load.load({}, os.environ)
    where = paths.resolve(config, os.environ)
    wanted = {"layer": spec.layer, "device": Device(spec.device), "workers": threads}
    return EmbedderSettings(
        config.embedding.model_copy(update=wanted), where.models, where.cache, spec.conditions
    )


_host_lock = threading.Lock()


def _host() -> _EmbedderHost:
    """Return the host of this process; several threads of Dask may call at once."""
    with _host_lock:
        return _new_host()


@cache
def _new_host() -> _EmbedderHost:
    return _EmbedderHost()


def _dask_worker() -> Any:
    from distributed import get_worker  # installed, because it calls this function

    return get_worker()


def _is_visible(file: FileJob) -> bool:
    """Return whether this very file is visible here, and not another one at its path."""
    status = Path(file.path).stat()
    return (
        status.st_size == file.size_bytes
        and abs(status.st_mtime - file.modified_seconds) <= SAME_TIME_SECONDS
    )


@contextmanager
def _temporary_file(content: bytes, suffix: str) -> Iterator[str]:
    """Write `content` to a temporary file that only this user can read; yield its path."""
    if len(content) > MAX_SENT_BYTES:
        raise EmbeddingFailed("was sent although it is too large", permanent=True)
    # In Dask's own directory: the next worker removes what a killed one leaves there.
    directory = _dask_worker().local_directory
    with tempfile.NamedTemporaryFile(dir=directory, suffix=suffix) as file:
        file.write(content)
        file.flush()
        yield file.name
