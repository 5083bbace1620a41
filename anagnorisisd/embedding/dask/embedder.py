"""An embedder whose work is done by the workers of a Dask scheduler."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from anagnorisisd.config.schema import Embedding
from anagnorisisd.domain.embedding import (
    EmbedderStamp,
    EmbeddingPlan,
    ExecutorState,
    FilePart,
    path_of,
)
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.dask.client import DaskClient, DaskWorkerLost, require_dask
from anagnorisisd.embedding.dask.protocol import (
    EMBED,
    MAX_SENT_BYTES,
    EmbeddingSpec,
    FileJob,
    FileNotVisible,
    Incapable,
    ProtocolError,
    read_vector,
)
from anagnorisisd.embedding.dask.worker_registry import WorkerEntry, WorkerRegistry
from anagnorisisd.errors import EmbeddingFailed

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_LOST = 3
"""After so many lost workers, embedding a track counts as failed."""

SILENCE_FACTOR = 2
"""A worker ends a track after its own timeout; one that is silent for a multiple of it is lost."""

RETRY_SECONDS = 1.0


class DaskEmbedder:
    """Gives each track to a worker, and to another one if that worker fails.

    | event                                      | reaction                                        |
    |--------------------------------------------|-------------------------------------------------|
    | no scheduler, or no capable worker         | the track waits                                 |
    | the worker does not see the file           | this file and all later ones are sent to it     |
    | the worker is lost                         | the next worker; after `MAX_LOST`, a failure    |
    | it is silent for too long                  | the same; it gets no track until it answers     |
    | its response is invalid, or it is incapable | the next worker; it gets no more tracks        |
    | the connection is lost                     | the track waits                                 |
    | it reports that the track cannot be embedded | as if that had happened on this computer      |

    There is a connection only while there are tracks to embed.

    Raises:
        ConfigError: Dask is not installed.
    """

    def __init__(
        self,
        plan: EmbeddingPlan,
        config: Embedding,
        music: Path,
        *,
        silence_seconds: float | None = None,
    ) -> None:
        require_dask()
        assert config.dask.address is not None, "the configuration was checked"
        self._stamp = plan.stamp
        self._address = config.dask.address
        self._music = music
        self._worker_music = config.dask.music_directory or music
        self._idle_seconds = config.idle_minutes * 60
        self._silence_seconds = silence_seconds or SILENCE_FACTOR * config.track_timeout_seconds
        spec = EmbeddingSpec(
            stamp=plan.stamp,
            conditions=plan.conditions,
            layer=config.layer,
            device=config.device.value,
            idle_seconds=self._idle_seconds,
            timeout_seconds=config.track_timeout_seconds,
        )
        self._spec = spec.to_dict()
        self._workers = WorkerRegistry()
        self._client = DaskClient(self._address, spec, self._workers)
        self._connecting: asyncio.Task[None] | None = None
        self._disconnect_timer: asyncio.TimerHandle | None = None
        self._pending = 0
        self._sending = asyncio.Lock()

    @property
    def stamp(self) -> EmbedderStamp:
        """The stamp that is stored with every vector."""
        return self._stamp

    @property
    def concurrency(self) -> int:
        """How many files should be embedded at the same time: the slots of all workers."""
        return max(1, self._workers.slots)

    @property
    def executor(self) -> ExecutorState:
        """Where the vectors are made, and why they are not."""
        return ExecutorState(self._address, len(self._workers), self._client.problem)

    async def embed(self, file: str | FilePart) -> Vectors:
        """Return the vector, `[dimension]` finite float32, of a file or a part of one.

        Raises:
            FileNotFoundError: the file no longer exists.
            EmbeddingFailed: the file cannot be embedded, or several workers were lost over it.
        """
        with self._connection():
            tried: list[str] = []
            while True:
                worker = await self._workers.acquire(tried)
                try:
                    return await self._embed_on(worker, file)
                except (Incapable, ProtocolError) as error:
                    self._client.remove(worker.address, str(error), ask_again=False)
                except DaskWorkerLost as error:
                    log.info(
                        "%s, asked to embed %s, %s", worker.address, ascii(path_of(file)), error
                    )
                    if not error.blame:
                        await asyncio.sleep(RETRY_SECONDS)
                        continue
                    tried.append(worker.address)
                    if len(tried) == MAX_LOST:
                        raise EmbeddingFailed(
                            f"{MAX_LOST} workers were lost over it; the last one {error}",
                            permanent=False,
                        ) from None
                finally:
                    self._workers.release(worker)

    async def check_workers(self) -> tuple[str, ...]:
        """Ask every worker for its slots, and return the reasons of those that have none."""
        with self._connection():
            return await self._client.wait_for_surveys()

    async def close(self) -> None:
        """Cancel the current tracks, and disconnect."""
        if self._disconnect_timer:
            self._disconnect_timer.cancel()
        if self._connecting:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)

    @contextmanager
    def _connection(self) -> Iterator[None]:
        """Connect for the block; disconnect when nothing was embedded for a while."""
        self._pending += 1
        if self._disconnect_timer:
            self._disconnect_timer.cancel()
            self._disconnect_timer = None
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._client.run())
        try:
            yield
        finally:
            self._pending -= 1
            if not self._pending:
                loop = asyncio.get_running_loop()
                self._disconnect_timer = loop.call_later(self._idle_seconds, self._disconnect)

    def _disconnect(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        self._connecting = None

    async def _embed_on(self, worker: WorkerEntry, file: str | FilePart) -> Vectors:
        """Embed a file on one worker; raises as `read_vector` and `DaskClient.submit` do."""
        path = path_of(file)
        status = await _read_file(os.stat, path)
        part = () if isinstance(file, str) else (file.start_seconds, file.end_seconds)
        job = FileJob(self._path_on_worker(path), status.st_size, status.st_mtime, *part)
        if worker.sees_music:
            with suppress(FileNotVisible):
                return await self._await_answer(
                    worker, self._client.submit(*self._arguments(worker, job))
                )
            self._mark_unseen(worker)
        if status.st_size > MAX_SENT_BYTES:
            raise EmbeddingFailed(
                f"has {status.st_size >> 20} MB and is too large to be sent to {worker.address}; "
                "let the worker see the music directory",
                permanent=True,
            )
        try:
            return await self._await_answer(worker, self._send_and_embed(worker, job, path))
        except FileNotVisible:
            raise ProtocolError("does not see the file that was sent to it") from None

    async def _send_and_embed(self, worker: WorkerEntry, job: FileJob, path: str) -> Any:
        async with self._sending:  # one at a time, so that no more than one file is held here
            content = await _read_file(Path.read_bytes, Path(path))
            held = await self._client.send_file(worker.address, content)
            del content
        try:
            return await self._client.submit(*self._arguments(worker, job, held))
        finally:
            held.release()

    def _arguments(self, worker: WorkerEntry, job: FileJob, held: Any = None) -> tuple[Any, ...]:
        return worker.address, EMBED, self._spec, job.to_dict(), held

    async def _await_answer(self, worker: WorkerEntry, asking: Coroutine[Any, Any, Any]) -> Vectors:
        """Wait for an answer until it is silent for too long, or the worker is lost."""
        answer, gone = asyncio.create_task(asking), asyncio.create_task(worker.gone.wait())
        both = {answer, gone}
        try:
            await asyncio.wait(
                both, timeout=self._silence_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                return read_vector(answer.result(), self._stamp)
            if not gone.done():
                self._client.remove(worker.address, "is silent", ask_again=True)
            raise DaskWorkerLost(
                "is gone" if gone.done() else "is silent", blame=self._client.connected
            )
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def _path_on_worker(self, path: str) -> str:
        return str(self._worker_music / Path(path).relative_to(self._music))

    def _mark_unseen(self, worker: WorkerEntry) -> None:
        if worker.sees_music:
            worker.sees_music = False
            log.info("%s does not see %s; files are sent to it", worker.address, self._worker_music)


async def _read_file(read: Callable[..., Result], *args: Any) -> Result:
    """Return the result of `read`; an error of the disk is not permanent."""
    try:
        return await asyncio.to_thread(read, *args)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EmbeddingFailed(f"{type(error).__name__}: {error}", permanent=False) from error
