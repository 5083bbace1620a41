"""Keeps `picks.ahead` picks in the player's queue after the current song.

Picks are only ever added to the end of the queue. Playback, options and the listener's own entries
are never touched; picks that have not started yet may be replaced.
"""

import asyncio
import math

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.player import PlayerState
from anagnorisisd.picks import queue_rules
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.picking_status import PickingStatus
from anagnorisisd.picks.queue_filler import QueueFiller
from anagnorisisd.picks.queue_observer import QueueObserver
from anagnorisisd.picks.queue_rules import QueueView, Shortfall
from anagnorisisd.picks.replanner import Replanner


class QueueManager:
    """Refills the queue: observes it, replaces picks that no longer fit, and adds missing ones."""

    def __init__(
        self,
        *,
        status: PickingStatus,
        owned: OwnedEntries,
        observer: QueueObserver,
        replanner: Replanner,
        filler: QueueFiller,
        clock: Clock,
        config: schema.Picks,
    ) -> None:
        self._status = status
        self._owned = owned
        self._observer = observer
        self._replanner = replanner
        self._filler = filler
        self._clock = clock
        self._config = config
        self._lock = asyncio.Lock()

    def reconfigure(self, config: schema.Picks) -> None:
        """Apply changed rules at the next refill; picks that they exclude are replaced."""
        self._config = config
        self._replanner.request()

    async def restore(self) -> None:
        """Read the stored state; call this before the first refill."""
        await self._status.restore()

    def reconnected(self) -> None:
        """Note that the player may have been restarted, or its queue changed, meanwhile."""
        self._observer.invalidate()
        self.database_updated()

    def database_updated(self) -> None:
        """Note that the player may now know files that it refused before."""
        self._filler.forget_refusals()

    def due(self) -> float:
        """Return when, in monotonic seconds, to refill although nothing changed; else `inf`."""
        if not self._status.active:
            return math.inf
        replan_at = self._replanner.due()
        return replan_at if replan_at < math.inf else self._filler.due()

    async def refill(self, state: PlayerState) -> None:
        """Replace picks that no longer fit, and add the missing ones.

        Raises:
            PlayerUnavailable: the connection to the player is lost; picks added before are kept.
        """
        async with self._lock:
            view = await self._observe(state)
            if not self._status.active:
                self._status.report_inactive()
                return
            if await self._replanner.replan(view):
                view = await self._observe(state)
            shortfall = self._shortfall(view)
            if shortfall.count:
                await self._filler.fill(view, shortfall.count, self._config)
                await self._observe(state)
            else:
                self._status.report(shortfall.reason)

    async def _observe(self, state: PlayerState) -> QueueView:
        view = await self._observer.observe(state)
        self._replanner.process_events()
        return view

    def _shortfall(self, view: QueueView) -> Shortfall:
        return queue_rules.shortfall(
            view.state,
            view.entries,
            self._owned.tracks,
            self._config.ahead,
            fill_empty_queue=self._config.fill_empty_queue,
        )
