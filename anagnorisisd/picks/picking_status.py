"""Whether picking is on, and why no picks are added at present."""

import logging

from anagnorisisd.events import Events, NoPicksReasonChanged, PickingSwitched
from anagnorisisd.storage.queue import QueueStore

log = logging.getLogger(__name__)

SETTING = "picking"
QUEUE_CLEARED = (
    "the queue was cleared; picks follow when you play something or switch picking on again"
)


class PickingStatus:
    """The switch for picking, and the present reason for adding none.

    What the listener switched is stored and takes precedence over the configuration.
    """

    def __init__(self, store: QueueStore, events: Events, *, enabled: bool) -> None:
        self._store = store
        self._events = events
        self._configured = enabled
        self._switched: bool | None = None
        self.queue_cleared = False
        """Whether the listener cleared the queue, and has not played anything since."""
        self.reason: str | None = None
        """Why no picks are added although picking is on; `None` when they are added."""

    @property
    def enabled(self) -> bool:
        """Whether picking is on."""
        return self._configured if self._switched is None else self._switched

    @property
    def active(self) -> bool:
        """Whether picks may be added: picking is on, and the queue was not cleared."""
        return self.enabled and not self.queue_cleared

    async def restore(self) -> None:
        """Read what the listener switched; call this before anything else."""
        setting = await self._store.setting(SETTING)
        self._switched = None if setting is None else setting == "on"

    async def switch(self, enabled: bool) -> None:
        """Switch picking on or off, and store that; the queue stays as it is."""
        await self._store.put_setting(SETTING, "on" if enabled else "off")
        self._switched = enabled
        if enabled:
            self.queue_cleared = False
        self._events.publish(PickingSwitched(enabled))

    def configure(self, *, enabled: bool) -> None:
        """Apply the configuration."""
        before = self.enabled
        self._configured = enabled
        if self.enabled is not before:
            self._events.publish(PickingSwitched(self.enabled))

    def report_inactive(self) -> None:
        """Set the reason for picking not being active."""
        self.report(QUEUE_CLEARED if self.enabled else None)

    def report(self, reason: str | None, *, level: int = logging.DEBUG) -> None:
        """Set why no picks are added, or `None` if they are; log and publish a change."""
        if reason == self.reason:
            return
        self.reason = reason
        if reason is not None:
            log.log(level, "No picks are added: %s", reason)
        self._events.publish(NoPicksReasonChanged(reason or ""))
