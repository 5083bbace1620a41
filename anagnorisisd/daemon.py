"""The daemon's life."""

import asyncio
import logging
import os
import signal
from contextlib import suppress

from anagnorisisd.adapters.systemd import READY, STOPPING, WATCHDOG, Systemd
from anagnorisisd.assembly import Parts, assembled
from anagnorisisd.config.places import Places
from anagnorisisd.config.schema import Config
from anagnorisisd.console import Screen
from anagnorisisd.errors import StoreError
from anagnorisisd.ml.registry import Chooser
from anagnorisisd.ml.settings import Settings
from anagnorisisd.supervision import keep_running

log = logging.getLogger(__name__)


async def run(config: Config, places: Places, screen: Screen | None = None) -> None:
    """Put the parts together, let them run until told to stop, take them apart in reverse.

    When another embedder becomes usable, its weights having arrived, everything is put together
    anew around it.

    Raises:
        AlreadyRunning: another daemon uses the same state or socket.
        StoreError: the database cannot be used.
        ConfigError: what is configured cannot be listened on.
        EmbedderUnusable: the embedder that is configured has no usable weights.
    """
    stop = _stop_signals()
    manager = Systemd(os.environ)
    # It outlives the parts: an embedder that was tried and refused stays refused.
    chooser = Chooser(Settings(config.embedding, places.models, places.cache))
    while not stop.is_set():
        async with assembled(config, places, screen, chooser) as parts:
            await parts.server.start()
            manager.notify(READY)
            await _live(parts, manager, stop)
            if stop.is_set():
                manager.notify(STOPPING)


async def _live(parts: Parts, manager: Systemd, stop: asyncio.Event) -> None:
    """Let all parts run until one is told to stop or another embedder is wanted."""
    async with asyncio.TaskGroup() as tasks:
        lives = [
            tasks.create_task(keep_running(name, life, parts.clock))
            for name, life in parts.lives.items()
        ]
        lives.append(tasks.create_task(_feed_watchdog(manager, parts)))
        ends = [tasks.create_task(stop.wait()), tasks.create_task(_superseded(parts))]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (*lives, *ends):
            task.cancel()


async def _superseded(parts: Parts) -> None:
    stamp = await parts.superseded()
    log.info("the embedder %s is there; the library is embedded anew in the background", stamp)


async def _feed_watchdog(manager: Systemd, parts: Parts) -> None:
    """Tell systemd that we are well, as long as the loop turns and the store answers."""
    seconds = manager.watchdog_seconds
    while seconds is not None:
        # A store that cannot even be read makes nobody leave; systemd ends the wait for it.
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(seconds):
                await parts.stores.ratings.summary()
                manager.notify(WATCHDOG)
        await parts.clock.sleep(seconds / 2)


def _stop_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
