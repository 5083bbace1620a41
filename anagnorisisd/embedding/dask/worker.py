"""What a Dask worker does for the daemon, which asks for these functions by their names.

A composition root, like `assembly`: the vectors are made by the same worker processes as on the
daemon's own computer, here as children of the Dask worker, so that a file that kills or hangs its
reader costs the cluster nothing. Where weights lie is what this computer's configuration says.
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
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.dask.protocol import MAX_SENT_BYTES, Answer, Job, Spec
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.registry import plan_for
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import AnagnorisisError, EmbedderUnusable, EmbeddingFailed
from anagnorisisd.workers.readable_paths import ReadablePaths

SAME_TIME_SECONDS = 2.0
"""File systems round the time of a change, FAT to this."""

DASKS_ALLOCATOR = "MALLOC_TRIM_THRESHOLD_"

LAST_WORD = 100
"""Finalizers of a higher priority run first."""

WAITING = 1
"""Tracks that wait at the worker, so that the next one is there when one is finished."""


def survey(version: str, spec: Mapping[str, Any]) -> Answer:
    """Say whether this worker can do as wished by a daemon of `version`."""
    if version != anagnorisisd.__version__:
        return {"unfit": f"has anagnorisisd {anagnorisisd.__version__}, the daemon {version}"}
    threads = _dask_worker().state.nthreads
    try:
        embedder = _host().embedder(Spec.unpacked(spec), threads)
    except AnagnorisisError as error:
        return {"unfit": str(error)}
    return {"places": min(embedder.concurrency, threads) + WAITING}


def embed(spec: Mapping[str, Any], job: Mapping[str, Any], content: bytes | None) -> Answer:
    """Embed a file that is seen here, or that was sent as `content`."""
    wanted, file = Spec.unpacked(spec), Job.unpacked(job)
    try:
        with ExitStack() as stack:
            if content is not None:
                path = stack.enter_context(_laid_down(content, Path(file.path).suffix))
            elif _is_seen(file):
                path = file.path
            else:
                return {"absent": True}
            vector = _host().embed(wanted, path, _dask_worker().state.nthreads)
    except EmbedderUnusable as error:
        return {"unfit": str(error)}
    except EmbeddingFailed as error:
        return {"failed": str(error), "permanent": error.permanent}
    except FileNotFoundError:
        return {"absent": True}
    except OSError as error:
        return {"failed": f"{type(error).__name__}: {error}", "permanent": False}
    return {"vector": vector.astype("<f4").tobytes(), "stamp": str(wanted.stamp)}


class _Host:
    """Keeps the embedders of this process, and the thread that their worker processes hang on."""

    def __init__(self) -> None:
        # Dask makes its workers daemonic, and such processes may not have children, lest these
        # outlive them. Ours end with the thread below.
        multiprocessing.current_process().daemon = False
        # Dask has its workers return memory at once, and our children, who compute, would inherit
        # that: a track takes them more than twice as long.
        os.environ.pop(DASKS_ALLOCATOR, None)
        self._embedders: dict[Spec, WorkerEmbedder] = {}
        self._making = threading.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="embedding", daemon=True).start()
        # A process that ends waits for its children first, and ours wait for work.
        Finalize(None, self._dissolve, exitpriority=LAST_WORD)

    def embedder(self, spec: Spec, threads: int) -> WorkerEmbedder:
        """Return what makes the vectors, with so many threads; the first time it is looked for.

        Raises:
            EmbedderUnusable: they cannot be made here.
            ConfigError: this computer's configuration cannot be used.
        """
        with self._making:
            if spec not in self._embedders:
                settings = _settings(spec, threads)
                self._embedders[spec] = WorkerEmbedder(
                    plan_for(spec.stamp, settings),
                    idle_seconds=spec.idle_seconds,
                    timeout_seconds=spec.timeout_seconds,
                    # Where the music lies here is known file by file only.
                    readable_paths=ReadablePaths("/", writable=[settings.cache_directory]),
                )
            return self._embedders[spec]

    def embed(self, spec: Spec, path: str, threads: int) -> Vectors:
        """Return the vector of a file; raises as `Embedder.embed` and `embedder` do."""
        work = self.embedder(spec, threads).embed(path)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _dissolve(self) -> None:
        """End the worker processes."""
        for embedder in self._embedders.values():
            asyncio.run_coroutine_threadsafe(embedder.close(), self._loop).result()


def _settings(spec: Spec, threads: int) -> EmbedderSettings:
    config = load.load({}, os.environ)
    where = paths.resolve(config, os.environ)
    wanted = {"layer": spec.layer, "device": Device(spec.device), "workers": threads}
    return EmbedderSettings(
        config.embedding.model_copy(update=wanted), where.models, where.cache, spec.conditions
    )


_becoming_a_host = threading.Lock()


def _host() -> _Host:
    """Return the one host of this process; several of Dask's threads may ask at once."""
    with _becoming_a_host:
        return _made_host()


@cache
def _made_host() -> _Host:
    return _Host()


def _dask_worker() -> Any:
    from distributed import get_worker  # it is there, as it is who calls

    return get_worker()


def _is_seen(file: Job) -> bool:
    """Say whether this very file is seen here: another one at its path would spoil the vector."""
    status = Path(file.path).stat()
    return (
        status.st_size == file.size_bytes
        and abs(status.st_mtime - file.modified_seconds) <= SAME_TIME_SECONDS
    )


@contextmanager
def _laid_down(content: bytes, suffix: str) -> Iterator[str]:
    """Let what was sent be a file for a while, for this user only; yield its path."""
    if len(content) > MAX_SENT_BYTES:
        raise EmbeddingFailed("was sent although it is too large", permanent=True)
    # In Dask's own folder: what a killed worker leaves there, the next one clears away.
    folder = _dask_worker().local_directory
    with tempfile.NamedTemporaryFile(dir=folder, suffix=suffix) as file:
        file.write(content)
        file.flush()
        yield file.name
