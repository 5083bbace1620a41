"""The connection to a Dask scheduler: kept, watched, and made anew when it is lost."""

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
from anagnorisisd.embedding.dask.protocol import SURVEY, Incapable, ProtocolError, Spec, read_survey
from anagnorisisd.embedding.dask.worker_registry import WorkerRegistry
from anagnorisisd.errors import ConfigError
from anagnorisisd.extras import install_command, is_installed
from anagnorisisd.workers.worker_main import call

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""A scheduler that takes longer to say who its workers are is taken to be lost."""

LOOK_SECONDS = 1.0
"""So often it is looked which workers there are."""

GLANCE_SECONDS = 0.05

SURVEY_SECONDS = 120.0
"""A worker may have to load half a gigabyte of weights from a slow disk to know what it has."""

SURVEY_AGAIN_SECONDS = 60.0
"""So often a worker that lacked something is asked again: weights may have arrived there."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 15.0


def require_dask() -> None:
    """Make sure that Dask is installed; without importing it.

    Raises:
        ConfigError: it is not.
    """
    if not is_installed("dask"):
        raise ConfigError(
            [
                "embedding.executor: dask needs a package that is not installed; "
                f"`{install_command('dask')}` installs it"
            ]
        )


class DaskWorkerLost(Exception):
    """A worker did not answer; `blame` says whether the track may have to do with it."""

    def __init__(self, reason: str, *, blame: bool) -> None:
        super().__init__(reason)
        self.blame = blame


class DaskClient:
    """Keeps `workers` in line with the workers of the scheduler that can do as wished.

    | what happens                        | what follows                                        |
    |-------------------------------------|-----------------------------------------------------|
    | the scheduler is not there, or gone | said once; looked for again, at most every 15 s     |
    | a worker joins                      | it is asked whether it can, and admitted            |
    | it cannot                           | said once; asked again every minute                 |
    | it leaves                           | dismissed; what it had to do is given to another    |
    """

    def __init__(self, address: str, spec: Spec, workers: WorkerRegistry) -> None:
        self._address = address
        self._spec = spec
        self._workers = workers
        self._client: Any = None
        self._looked = False
        self._surveys: dict[str, asyncio.Task[None]] = {}
        self._reasons: dict[str, str] = {}
        self._away = ""

    @property
    def connected(self) -> bool:
        """Whether the scheduler was there when last looked."""
        return self._client is not None

    @property
    def lacking(self) -> str:
        """Why nobody embeds; empty if somebody does, or nothing is known yet."""
        if self._away or len(self._workers):
            return self._away
        if self._reasons:
            return ", ".join(self._unfit())
        nobody = self._looked and not self._surveys
        return f"it has no workers; `dask worker {self._address}` starts one" if nobody else ""

    async def settled(self) -> tuple[str, ...]:
        """Wait until the scheduler is away, or every worker was asked; return who is unfit."""
        while not self._away:
            judged = len(self._workers) + len(self._reasons)
            if self._looked and judged == len(self._surveys):
                break
            await asyncio.sleep(GLANCE_SECONDS)
        return self._unfit()

    def _unfit(self) -> tuple[str, ...]:
        return tuple(f"{address}: {why}" for address, why in self._reasons.items())

    async def run(self) -> None:
        """Connect and watch until cancelled; a lost scheduler is looked for again and again."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                client = await connected(self._address)
                pause = FIRST_PAUSE_SECONDS
                await self._attend(client)
            except Exception as error:
                self._lost(_reason(error))
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, 2 * pause)

    async def ask(self, address: str, target: str, *args: Any) -> Any:
        """Return what the function `target` ("package.module:function") answers on a worker.

        Raises:
            DaskWorkerLost: the worker, or the link to it, was lost.
            Nonsense: the function raised something, which ours do not.
        """
        with self._translated() as client:
            key = f"anagnorisisd-{uuid4().hex}"
            future = client.submit(call, target, args, key=key, workers=[address])
            try:
                return await future
            finally:
                future.release()

    async def send(self, address: str, content: bytes) -> Any:
        """Lay `content` down on a worker; what is returned stands for it in `ask`'s arguments.

        Raises:
            DaskWorkerLost: the worker, or the link to it, was lost.
        """
        with self._translated() as client:
            return await client.scatter(content, workers=[address], hash=False)

    @contextmanager
    def _translated(self) -> Iterator[Any]:
        """Yield the client; let what Dask raises be our own errors."""
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

    def dismiss(self, address: str, reason: str, *, ask_again: bool) -> None:
        """Let a worker have no more tracks until it has been started anew, or asked again."""
        self._workers.dismiss(address)
        self._note(address, reason)
        if ask_again:
            self._surveys[address] = asyncio.create_task(self._survey(address))

    async def _attend(self, client: Any) -> None:
        """Follow which workers there are; returns never."""
        self._client = client
        self._found()
        try:
            while True:
                there = await _workers(client)
                self._workers.keep(there)
                for address in self._surveys.keys() - there:
                    self._surveys.pop(address).cancel()
                    self._reasons.pop(address, None)
                for address in there - self._surveys.keys():
                    self._surveys[address] = asyncio.create_task(self._survey(address))
                self._looked = True
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._client, self._looked = None, False
            self._workers.keep(())
            for survey in self._surveys.values():
                survey.cancel()
            self._surveys.clear()
            self._reasons.clear()
            await _closed(client)

    async def _survey(self, address: str) -> None:
        """Ask a worker until it can do as wished, and admit it."""
        while True:
            try:
                places = await self._asked(address)
            except (Incapable, ProtocolError) as error:
                self._note(address, str(error))
            except Exception as error:
                self._note(address, f"cannot be asked: {_reason(error)}")
            else:
                self._reasons.pop(address, None)
                self._workers.admit(address, places)
                log.info("%s embeds, %d tracks at once", address, places)
                return
            await asyncio.sleep(SURVEY_AGAIN_SECONDS)

    async def _asked(self, address: str) -> int:
        async with asyncio.timeout(SURVEY_SECONDS):
            version, spec = anagnorisisd.__version__, self._spec.packed()
            return read_survey(await self.ask(address, SURVEY, version, spec))

    def _note(self, address: str, reason: str) -> None:
        """Remember why a worker does not embed, and say so once."""
        if self._reasons.get(address) != reason:
            self._reasons[address] = reason
            log.warning("%s does not embed: %s", address, reason)

    def _found(self) -> None:
        if self._away:
            log.info("the scheduler at %s is there again; embedding goes on", self._address)
        self._away = ""

    def _lost(self, reason: str) -> None:
        if not self._away:
            log.warning("the scheduler at %s: %s; embedding waits for it", self._address, reason)
        self._away = reason


async def connected(address: str) -> Any:
    """Return a client of the scheduler at `address`.

    Raises:
        OSError: there is none, or it does not answer.
    """
    await asyncio.to_thread(_load)
    distributed: Any = import_module("distributed")
    client = distributed.Client(
        address, asynchronous=True, set_as_default=False, name="anagnorisisd",
        timeout=CONNECT_SECONDS,
    )  # fmt: skip
    try:
        return await client
    except BaseException:
        await _closed(client)
        raise


def _load() -> None:
    """Import Dask, which takes a second, and keep it from writing a log of its own."""
    import dask

    dask.config.set({"logging": {"version": 1, "incremental": True}})
    from distributed.versions import VersionMismatchWarning

    warnings.simplefilter("ignore", VersionMismatchWarning)
    for library in ("distributed", "distributed.client", "tornado", "tornado.application"):
        # What they say of a lost link in twenty lines is said above in one.
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)


async def _workers(client: Any) -> set[str]:
    """Return the addresses of the workers; raise `OSError` where the scheduler is gone."""
    if client.status != "running":
        raise OSError("the connection was lost")
    async with asyncio.timeout(ANSWER_SECONDS):
        return set((await client.scheduler.identity(n_workers=-1))["workers"])


async def _closed(client: Any) -> None:
    with suppress(Exception):
        async with asyncio.timeout(ANSWER_SECONDS):
            await client.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__
