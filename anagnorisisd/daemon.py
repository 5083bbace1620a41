"""The daemon's life."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field

from anagnorisisd.app import App, wired
from anagnorisisd.config.paths import Paths
from anagnorisisd.console import Screen
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.settings import EmbedderSettings
from anagnorisisd.errors import StoreError
from anagnorisisd.runtime import malloc_tuning, watchdog
from anagnorisisd.runtime.config_reload import ConfigReloader
from anagnorisisd.runtime.supervision import keep_running
from anagnorisisd.runtime.systemd_notify import READY, STOPPING, SystemdNotifier

log = logging.getLogger(__name__)

LOSS_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """What signals have asked for."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)


async def run(configured: ConfigReloader, places: Paths, screen: Screen | None = None) -> None:
    """Put the parts together, let them run until told to stop, take them apart in reverse.

    When another embedder becomes usable, its weights having arrived, everything is put together
    anew around it.

    Raises:
        AlreadyRunning: another daemon uses the same state or socket.
        StoreError: the database cannot be used.
        ConfigError: what is configured cannot be listened on.
        EmbedderUnusable: the embedder that is configured has no usable weights.
    """
    malloc_tuning.keep_small()
    asked = _listen_to_signals()
    manager = SystemdNotifier(os.environ)
    # It outlives the parts: an embedder that was tried and refused stays refused.
    chooser = EmbedderSelector(
        EmbedderSettings(configured.config.embedding, places.models, places.cache)
    )
    while not asked.stop.is_set():
        async with wired(configured.config, places, screen, chooser) as parts:
            await parts.server.start()
            manager.notify(READY)
            malloc_tuning.set_aside()
            await _live(parts, configured, manager, asked)
            if asked.stop.is_set():
                manager.notify(STOPPING)


async def _live(
    parts: App, configured: ConfigReloader, manager: SystemdNotifier, asked: _Asked
) -> None:
    """Let all parts run until one is told to stop or another embedder is wanted.

    Raises:
        StoreError: what is stored was found to be damaged, or is not there any more.
    """
    async with asyncio.TaskGroup() as tasks:
        lives = [
            tasks.create_task(keep_running(name, life, parts.clock))
            for name, life in parts.lives.items()
        ]
        answers = parts.stores.ratings.summary
        lives += [
            tasks.create_task(watchdog.feed(manager, answers, parts.pools, parts.clock)),
            tasks.create_task(_reload(parts, configured, manager, asked.reload)),
            tasks.create_task(_look_for_loss(parts)),
        ]
        # What was lost can be found by another start only, which refuses to begin anew.
        lost = tasks.create_task(parts.stores.database.lost())
        faults = [tasks.create_task(_damage(parts)), lost]
        ends = [
            tasks.create_task(asked.stop.wait()),
            tasks.create_task(_superseded(parts)),
            *faults,
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (*lives, *ends):
            task.cancel()
    for fault in faults:
        if not fault.cancelled():
            raise fault.result()


async def _damage(parts: App) -> StoreError:
    """Return what is wrong with what is stored; never where nothing is."""
    try:
        await parts.stores.database.check()
    except StoreError as error:
        return error
    return await asyncio.Future()


async def _look_for_loss(parts: App) -> None:
    """Hold the open database against its path now and then; every write does so for itself."""
    while True:
        with suppress(StoreError):  # `lost` tells it, and those who need the database the rest
            await parts.stores.database.check_files()
        await parts.clock.rest(LOSS_LOOK_SECONDS)


async def _superseded(parts: App) -> None:
    stamp = await parts.superseded()
    log.info("the embedder %s is there; the library is embedded anew in the background", stamp)


async def _reload(
    parts: App, configured: ConfigReloader, manager: SystemdNotifier, asked: asyncio.Event
) -> None:
    """Read the configuration again whenever that is asked for."""
    while True:
        await asked.wait()
        asked.clear()
        manager.notify_reloading()
        result = await configured.again(parts.reconfigure)
        manager.notify(READY, f"STATUS={result}")


def _listen_to_signals() -> _Asked:
    """Let SIGTERM and SIGINT ask to stop, and SIGHUP to read the configuration again."""
    asked = _Asked()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.stop.set)
    # A terminal that was closed says the same, and means another thing.
    on_terminal = sys.stdin is not None and sys.stdin.isatty()
    loop.add_signal_handler(signal.SIGHUP, (asked.stop if on_terminal else asked.reload).set)
    return asked
