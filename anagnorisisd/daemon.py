"""The daemon's main loop: start, run until a signal arrives, stop."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field

from anagnorisisd.app import App, open_app
from anagnorisisd.config.paths import Paths
from anagnorisisd.console import Screen
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.errors import StoreError
from anagnorisisd.runtime import memory_tuning
from anagnorisisd.runtime.config_reload import ConfigReloader
from anagnorisisd.runtime.supervision import keep_running
from anagnorisisd.runtime.systemd import READY, STOPPING, SystemdNotifier, ping_watchdog

log = logging.getLogger(__name__)

FILE_CHECK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Signals:
    """Requests by signals: to stop, and to reload the configuration."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)


async def run(reloader: ConfigReloader, paths: Paths, screen: Screen | None = None) -> None:
    """Open the app, run it until a signal stops it, and close it in reverse order.

    When a better embedder becomes usable, because weights were downloaded, the app is closed and
    opened again with it.

    Raises:
        AlreadyRunning: another daemon uses the same state directory or socket.
        StoreError: the database is unusable or missing.
        ConfigError: cannot listen on a configured address.
        EmbedderUnusable: the configured embedder has no usable weights.
    """
    memory_tuning.configure_malloc()
    signals = _install_signal_handlers()
    manager = SystemdNotifier(os.environ)
    # Kept when the app is opened again, to remember which embedders are unusable.
    selector = EmbedderSelector(
        EmbedderSettings(reloader.config.embedding, paths.models, paths.cache)
    )
    while not signals.stop.is_set():
        async with open_app(reloader.config, paths, screen, selector) as app:
            await app.server.start()
            manager.notify(READY)
            memory_tuning.freeze_objects()
            await _run_until_stopped(app, reloader, manager, signals)
            if signals.stop.is_set():
                manager.notify(STOPPING)


async def _run_until_stopped(
    app: App, reloader: ConfigReloader, manager: SystemdNotifier, signals: _Signals
) -> None:
    """Run all service loops until a signal arrives or a better embedder becomes usable.

    Raises:
        StoreError: the database is damaged or has disappeared.
    """
    async with asyncio.TaskGroup() as tasks:
        loops = [
            tasks.create_task(keep_running(name, loop, app.clock))
            for name, loop in app.service_loops.items()
        ]
        answers = app.stores.ratings.summary

        def overdue_pools() -> list[str]:
            return [pool.name for pool in app.pools if pool.has_overdue_task()]

        loops += [
            tasks.create_task(ping_watchdog(manager, answers, overdue_pools, app.clock)),
            tasks.create_task(_reload(app, reloader, manager, signals.reload)),
            tasks.create_task(_check_files(app)),
        ]
        # A lost database needs a restart: only the start checks that it is the same one.
        lost = tasks.create_task(app.stores.database.lost())
        faults = [tasks.create_task(_find_damage(app)), lost]
        ends = [
            tasks.create_task(signals.stop.wait()),
            tasks.create_task(_superseded(app)),
            *faults,
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (*loops, *ends):
            task.cancel()
    for fault in faults:
        if not fault.cancelled():
            raise fault.result()


async def _find_damage(app: App) -> StoreError:
    """Check the whole database; return only if it is damaged."""
    try:
        await app.stores.database.check()
    except StoreError as error:
        return error
    return await asyncio.Future()


async def _check_files(app: App) -> None:
    """Check periodically that the database still exists; every write checks this, too."""
    while True:
        with suppress(StoreError):  # reported by `database.lost`
            await app.stores.database.check_files()
        await app.clock.rest(FILE_CHECK_SECONDS)


async def _superseded(app: App) -> None:
    stamp = await app.superseded()
    log.info("switching to embedder %s; re-embedding the library in the background", stamp)


async def _reload(
    app: App, reloader: ConfigReloader, manager: SystemdNotifier, signals: asyncio.Event
) -> None:
    """Reload the configuration at each request."""
    while True:
        await signals.wait()
        signals.clear()
        manager.notify_reloading()
        result = await reloader.reload(app.reconfigure)
        manager.notify(READY, f"STATUS={result}")


def _install_signal_handlers() -> _Signals:
    """Stop at SIGTERM and SIGINT, and reload the configuration at SIGHUP."""
    signals = _Signals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.stop.set)
    # SIGHUP is also sent when the terminal is closed; then stop.
    on_terminal = sys.stdin is not None and sys.stdin.isatty()
    loop.add_signal_handler(signal.SIGHUP, (signals.stop if on_terminal else signals.reload).set)
    return signals
