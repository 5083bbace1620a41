"""The connection to a Dask scheduler: it is watched, and made again when it is lost."""

import asyncio
import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any
from uuid import uuid4

import anagnorisisd
from anagnorisisd.embedding.dask.protocol import (
    SURVEY,
    EmbeddingSpec,
    Incapable,
    ProtocolError,
    read_survey,
)
from anagnorisisd.embedding.dask.worker_registry import WorkerRegistry
from anagnorisisd.errors import ConfigError
from anagnorisisd.extras import install_command, is_installed
from anagnorisisd.workers.worker_main import call

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""A scheduler that takes longer to list its workers counts as lost."""

POLL_SECONDS = 1.0
"""The interval at which the list of workers is read."""

CHECK_SECONDS = 0.05

SURVEY_SECONDS = 120.0
"""A worker may have to load half a gigabyte of weights from a slow disk to know what it has."""

SURVEY_AGAIN_SECONDS = 60.0
"""The interval at which an incapable worker is asked again: it may have weights by now."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 15.0


def require_dask() -> None:
    """Check that Dask is installed, without importing it.

    Raises:
        ConfigError: it is not installed.
    """
    if not is_installed("dask"):
        raise ConfigError(
            [
                "embedding.executor: dask needs a package that is not installed; "
                f"`{install_command('dask')}` installs it"
            ]
        )


class DaskWorkerLost(Exception):
    """A worker did not answer; `blame` says whether the track may be the cause."""

    def __init__(self, reason: str, *, blame: bool) -> None:
        super().__init__(reason)
        self.blame = blame


class DaskClient:
    """Keeps `workers` equal to those workers of the scheduler that can make the vectors.

    | event                            | reaction                                        |
    |----------------------------------|-------------------------------------------------|
    | the scheduler cannot be reached  | logged once; tried again after 1 s to 15 s      |
    | a worker joins                   | it is asked for its slots, and added            |
    | it is incapable                  | logged once; asked again every minute           |
    | it leaves                        | removed; its tracks are given to other workers  |
    """

    def __init__(self, address: str, spec: EmbeddingSpec, workers: WorkerRegistry) -> None:
        self._address = address
        self._spec = spec
        self._workers = workers
        self._client: Any = None
        self._polled = False
        self._surveys: dict[str, asyncio.Task[None]] = {}
        self._reasons: dict[str, str] = {}
        self._lost_reason = ""

    @property
    def connected(self) -> bool:
        """Whether the scheduler was connected at the last poll."""
        return self._client is not None

    @property
    def problem(self) -> str:
        """Why no worker embeds; empty if one does, or if it is not known yet."""
        if self._lost_reason or len(self._workers):
            return self._lost_reason
        if self._reasons:
            return ", ".join(self._incapable_workers())
        has_no_workers = self._polled and not self._surveys
        return (
            f"it has no workers; `dask worker {self._address}` starts one" if has_no_workers else ""
        )

    async def wait_for_surveys(self) -> tuple[str, ...]:
        """Wait until the scheduler is lost or all workers have answered; return why some cannot."""
        while not self._lost_reason:
            surveyed = len(self._workers) + len(self._reasons)
            if self._polled and surveyed == len(self._surveys):
                break
            await asyncio.sleep(CHECK_SECONDS)
        return self._incapable_workers()

    def _incapable_workers(self) -> tuple[str, ...]:
        return tuple(f"{address}: {why}" for address, why in self._reasons.items())

    async def run(self) -> None:
        """Connect, and reconnect after the connection is lost, until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                client = await connect(self._address)
                pause = FIRST_PAUSE_SECONDS
                await self._watch_workers(client)
            except Exception as error:
                self._record_lost(_reason(error))
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, 2 * pause)

    async def submit(self, address: str, target: str, *args: Any) -> Any:
        """Run the function `target` ("package.module:function") on a worker, and return its result.

        Raises:
            DaskWorkerLost: the worker, or the connection to it, was lost.
            ProtocolError: the function raised an exception, which ours do not.
        """
        with self._translate_errors() as client:
            key = f"anagnorisisd-{uuid4().hex}"
            future = client.submit(call, target, args, key=key, workers=[address])
            try:
                return await future
            finally:
                future.release()

    async def send_file(self, address: str, content: bytes) -> Any:
        """Send `content` to a worker; pass the returned object to `submit` in its place.

        Raises:
            DaskWorkerLost: the worker, or the connection to it, was lost.
        """
        with self._translate_errors() as client:
            return await client.scatter(content, workers=[address], hash=False)

    @contextmanager
    def _translate_errors(self) -> Iterator[Any]:
        """Yield the client; translate the exceptions of Dask to ours."""
        if self._client is None:
            raise DaskWorkerLost("cannot be reached", blame=False)
        try:
            yield self._client
        except CancelledError:  # Dask's, for what a lost scheduler no longer knows
            raise DaskWorkerLost("was lost with the scheduler", blame=False) from None
        except Exception as error:
            module = type(error).__module__.partition(".")[0]
            if isinstance(error, OSError) or module == "distributed":
                raise DaskWorkerLost(
                    f"was lost ({_reason(error)})", blame=self.connected
                ) from error
            raise ProtocolError(f"raised {type(error).__name__}: {_reason(error)}") from error

    def remove(self, address: str, reason: str, *, ask_again: bool) -> None:
        """Give a worker no more tracks until it is restarted or, with `ask_again`, asked again."""
        self._workers.remove(address)
        self._record_reason(address, reason)
        if ask_again:
            self._surveys[address] = asyncio.create_task(self._survey(address))

    async def _watch_workers(self, client: Any) -> None:
        """Poll the list of workers until the connection is lost."""
        self._client = client
        self._record_found()
        try:
            while True:
                present = await _workers(client)
                self._workers.keep_only(present)
                for address in self._surveys.keys() - present:
                    self._surveys.pop(address).cancel()
                    self._reasons.pop(address, None)
                for address in present - self._surveys.keys():
                    self._surveys[address] = asyncio.create_task(self._survey(address))
                self._polled = True
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._client, self._polled = None, False
            self._workers.keep_only(())
            for survey in self._surveys.values():
                survey.cancel()
            self._surveys.clear()
            self._reasons.clear()
            await _close(client)

    async def _survey(self, address: str) -> None:
        """Ask a worker for its slots until it has some, and add it."""
        while True:
            try:
                slots = await self._query_slots(address)
            except (Incapable, ProtocolError) as error:
                self._record_reason(address, str(error))
            except Exception as error:
                self._record_reason(address, f"cannot be asked: {_reason(error)}")
            else:
                self._reasons.pop(address, None)
                self._workers.add(address, slots)
                log.info("%s embeds, %d tracks at once", address, slots)
                return
            await asyncio.sleep(SURVEY_AGAIN_SECONDS)

    async def _query_slots(self, address: str) -> int:
        async with asyncio.timeout(SURVEY_SECONDS):
            version, spec = anagnorisisd.__version__, self._spec.to_dict()
            return read_survey(await self.submit(address, SURVEY, version, spec))

    def _record_reason(self, address: str, reason: str) -> None:
        """Store why a worker does not embed, and log it once."""
        if self._reasons.get(address) != reason:
            self._reasons[address] = reason
            log.warning("%s does not embed: %s", address, reason)

    def _record_found(self) -> None:
        if self._lost_reason:
            log.info("the scheduler at %s is connected again; embedding continues", self._address)
        self._lost_reason = ""

    def _record_lost(self, reason: str) -> None:
        if not self._lost_reason:
            log.warning("the scheduler at %s: %s; embedding waits for it", self._address, reason)
        self._lost_reason = reason


async def connect(address: str) -> Any:
    """Return a client of the scheduler at `address`.

    Raises:
        OSError: there is none, or it does not answer.
    """
    await asyncio.to_thread(_import_dask)
    distributed: Any = import_module("distributed")
    client = distributed.Client(
        address, asynchronous=True, set_as_default=False, name="anagnorisisd",
        timeout=CONNECT_SECONDS,
    )  # fmt: skip
    try:
        return await client
    except BaseException:
        await _close(client)
        raise


def _import_dask() -> None:
    """Import Dask, which takes a second, and silence its own log."""
    import dask

    dask.config.set({"logging": {"version": 1, "incremental": True}})
    from distributed.versions import VersionMismatchWarning

    warnings.simplefilter("ignore", VersionMismatchWarning)
    for library in ("distributed", "distributed.client", "tornado", "tornado.application"):
        # They log a lost connection in twenty lines; `DaskClient` logs it in one.
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)


async def _workers(client: Any) -> set[str]:
    """Return the addresses of the workers; raise `OSError` where the scheduler is gone."""
    if client.status != "running":
        raise OSError("the connection was lost")
    async with asyncio.timeout(ANSWER_SECONDS):
        return set((await client.scheduler.identity(n_workers=-1))["workers"])


async def _close(client: Any) -> None:
    with suppress(Exception):
        async with asyncio.timeout(ANSWER_SECONDS):
            await client.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__
