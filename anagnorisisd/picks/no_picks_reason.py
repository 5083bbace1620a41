"""Why no picks are added at present, for whoever asks and for those who follow events."""

import logging

from anagnorisisd.events import Events, PicksHeldBack

log = logging.getLogger(__name__)

CLEARED = "the queue was cleared; picks follow when you play something or switch picking on again"
NOTHING = "the library has no track that could be picked"


class Reason:
    """Keeps the present reason, and announces and logs each change of it once."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.text: str | None = None

    def tell(self, text: str | None, *, level: int = logging.DEBUG) -> None:
        """Take in why no picks are added, or by `None` that they are."""
        if text == self.text:
            return
        self.text = text
        if text is not None:
            log.log(level, "no picks are added: %s", text)
        self._events.publish(PicksHeldBack(text or ""))
