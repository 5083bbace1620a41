"""An embedder whose work is done by the workers of a Dask scheduler."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from anagnorisisd.config.schema import Embedding
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan, ExecutorState
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.dask.client import DaskClient, DaskWorkerLost, require_dask
from anagnorisisd.embedding.dask.protocol import (
    EMBED,
    MAX_SENT_BYTES,
    FileNotVisible,
    Incapable,
    Job,
    ProtocolError,
    Spec,
    read_vector,
)
from anagnorisisd.embedding.dask.worker_registry import WorkerEntry, WorkerRegistry
from anagnorisisd.errors import EmbeddingFailed

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_LOST = 3
"""So many workers may be lost over one track before it counts as a failed try."""

PATIENCE = 2
"""A worker gives a track up by itself; whoever is silent for so many times as long is lost."""

AGAIN_SECONDS = 1.0


class DaskEmbedder:
    """Gives each track to one worker, and to another one if that comes to nothing.

    | what happens                              | what follows                                  |
    |-------------------------------------------|-----------------------------------------------|
    | there is no scheduler, or nobody who can  | the track waits                               |
    | the worker does not see the file          | it is sent, and so are all others to it       |
    | the worker vanishes                       | the next worker; `MAX_LOST` times, a failed try |
    | it is silent for too long                 | the same; it has no more until it answers     |
    | it answers nonsense, or cannot after all  | the next worker; it has no more at all        |
    | the link is lost                          | the track waits                               |
    | it says that the track cannot be embedded | as if it had been tried here                  |

    There is a link only while there is something to embed.

    Raises:
        ConfigError: Dask is not installed.
    """

    def __init__(
        self,
        plan: EmbeddingPlan,
        config: Embedding,
        music: Path,
        *,
        patience_seconds: float | None = None,
    ) -> None:
        require_dask()
        assert config.dask.address is not None, "the configuration was checked"
        self._stamp = plan.stamp
        self._address = config.dask.address
        self._music = music
        self._music_there = config.dask.music_directory or music
        self._idle_seconds = config.idle_minutes * 60
        self._patience = patience_seconds or PATIENCE * config.track_timeout_seconds
        spec = Spec(
            stamp=plan.stamp,
            conditions=plan.conditions,
            layer=config.layer,
            device=config.device.value,
            idle_seconds=self._idle_seconds,
            timeout_seconds=config.track_timeout_seconds,
        )
        self._spec = spec.packed()
        self._workers = WorkerRegistry()
        self._client = DaskClient(self._address, spec, self._workers)
        self._linking: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._under_way = 0
        self._sending = asyncio.Lock()

    @property
    def stamp(self) -> EmbedderStamp:
        """What is written beside every vector."""
        return self._stamp

    @property
    def concurrency(self) -> int:
        """How many files are worth having under way: what the workers take at once."""
        return max(1, self._workers.places)

    @property
    def executor(self) -> ExecutorState:
        """Where vectors are made, and what is lacking."""
        return ExecutorState(self._address, len(self._workers), self._client.lacking)

    async def embed(self, path: str) -> Vectors:
        """Return the vector, `[dimension]` finite float32, of the file at `path`.

        Raises:
            FileNotFoundError: there is no such file any more.
            EmbeddingFailed: the file cannot be embedded, or cost several workers.
        """
        with self._linked():
            tried: list[str] = []
            while True:
                worker = await self._workers.take(tried)
                try:
                    return await self._by(worker, path)
                except (Incapable, ProtocolError) as error:
                    self._client.dismiss(worker.address, str(error), ask_again=False)
                except DaskWorkerLost as error:
                    log.info("%s, asked to embed %s, %s", worker.address, ascii(path), error)
                    if not error.blame:
                        await asyncio.sleep(AGAIN_SECONDS)
                        continue
                    tried.append(worker.address)
                    if len(tried) == MAX_LOST:
                        raise EmbeddingFailed(
                            f"{MAX_LOST} workers were lost over it; the last one {error}",
                            permanent=False,
                        ) from None
                finally:
                    self._workers.leave(worker)

    async def looked(self) -> tuple[str, ...]:
        """Ask every worker whether it can, and return the reasons of those that cannot."""
        with self._linked():
            return await self._client.settled()

    async def close(self) -> None:
        """Give up what is under way, and leave the scheduler."""
        if self._leaving:
            self._leaving.cancel()
        if self._linking:
            self._linking.cancel()
            await asyncio.gather(self._linking, return_exceptions=True)

    @contextmanager
    def _linked(self) -> Iterator[None]:
        """Have a link, and let it go when nothing was to be embedded for a while."""
        self._under_way += 1
        if self._leaving:
            self._leaving.cancel()
            self._leaving = None
        if self._linking is None:
            self._linking = asyncio.create_task(self._client.run())
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                loop = asyncio.get_running_loop()
                self._leaving = loop.call_later(self._idle_seconds, self._leave)

    def _leave(self) -> None:
        if self._linking:
            self._linking.cancel()
        self._linking = None

    async def _by(self, worker: WorkerEntry, path: str) -> Vectors:
        """Have a file embedded by one worker; raises as `read_vector` and `DaskClient.ask` do."""
        status = await _of_the_file(os.stat, path)
        job = Job(self._there(path), status.st_size, status.st_mtime)
        if worker.sees_music:
            with suppress(FileNotVisible):
                return await self._answer(worker, self._client.ask(*self._asking(worker, job)))
            self._is_blind(worker)
        if status.st_size > MAX_SENT_BYTES:
            raise EmbeddingFailed(
                f"has {status.st_size >> 20} MB and is too large to be sent to {worker.address}; "
                "let the worker see the music folder",
                permanent=True,
            )
        try:
            return await self._answer(worker, self._sent(worker, job, path))
        except FileNotVisible:
            raise ProtocolError("does not see what was sent to it") from None

    async def _sent(self, worker: WorkerEntry, job: Job, path: str) -> Any:
        async with self._sending:  # one at a time, so that no more than one file is held here
            content = await _of_the_file(Path.read_bytes, Path(path))
            held = await self._client.send(worker.address, content)
            del content
        try:
            return await self._client.ask(*self._asking(worker, job, held))
        finally:
            held.release()

    def _asking(self, worker: WorkerEntry, job: Job, held: Any = None) -> tuple[Any, ...]:
        return worker.address, EMBED, self._spec, job.packed(), held

    async def _answer(self, worker: WorkerEntry, asking: Coroutine[Any, Any, Any]) -> Vectors:
        """Wait for an answer, but neither for ever nor for a worker that is gone."""
        answer, gone = asyncio.create_task(asking), asyncio.create_task(worker.gone.wait())
        both = {answer, gone}
        try:
            await asyncio.wait(both, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return read_vector(answer.result(), self._stamp)
            if not gone.done():
                self._client.dismiss(worker.address, "is silent", ask_again=True)
            raise DaskWorkerLost(
                "is gone" if gone.done() else "is silent", blame=self._client.connected
            )
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def _there(self, path: str) -> str:
        return str(self._music_there / Path(path).relative_to(self._music))

    def _is_blind(self, worker: WorkerEntry) -> None:
        if worker.sees_music:
            worker.sees_music = False
            log.info("%s does not see %s; files are sent to it", worker.address, self._music_there)


async def _of_the_file(read: Callable[..., Result], *args: Any) -> Result:
    """Return what `read` finds; a disk that fails now may be well later."""
    try:
        return await asyncio.to_thread(read, *args)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EmbeddingFailed(f"{type(error).__name__}: {error}", permanent=False) from error
