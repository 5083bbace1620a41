"""Tagging: ratings in the tags of the listener's files, for those who switched it on.

What was rated while the daemon was off, or could not be written then, is made up for at the next
start. A track that lies in several files is tagged in one of them.
"""

import logging
from collections.abc import Iterable

from anagnorisisd.clock import Clock
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.events import Announcement, Events, TrackRated
from anagnorisisd.ratings.interfaces import RatingTags
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore

log = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
"""How long to wait for a better thought: one file is copied once, not at every step upwards."""

BATCH = 500
"""How many tracks are looked up in one go."""


class TagWriter:
    """Writes what counts, one file after the other."""

    def __init__(
        self,
        *,
        tags: RatingTags,
        library: LibraryStore,
        store: RatingStore,
        events: Events,
        clock: Clock,
    ) -> None:
        self._tags = tags
        self._library = library
        self._store = store
        self._events = events
        self._clock = clock
        self._said: set[str] = set()

    async def run(self) -> None:
        """Bring all files up to date, then those that are rated, until cancelled."""
        with self._events.subscribe() as subscription:
            await self._write(await self._store.current())
            while True:
                first = await subscription.next()
                await self._clock.sleep(PAUSE_SECONDS)
                await self._write(await self._rated([first, *subscription.arrived()]))

    async def _rated(self, announcements: Iterable[Announcement]) -> set[TrackId]:
        """Return the tracks that were rated; all that have a rating where events were missed."""
        rated: set[TrackId] = set()
        for announcement in announcements:
            if announcement.missed:
                rated.update(await self._store.current())
            if isinstance(announcement.event, TrackRated):
                rated.add(announcement.event.change.rating.track_id)
        return rated

    async def _write(self, track_ids: Iterable[TrackId]) -> None:
        waiting = sorted(track_ids)
        for start in range(0, len(waiting), BATCH):
            uris = await self._library.uris(waiting[start : start + BATCH])
            for track_id, uri in uris.items():
                await self._write_one(track_id, uri)

    async def _write_one(self, track_id: TrackId, uri: Uri) -> None:
        # Events are hints: what counts by now is written, not what was announced.
        newest = await self._store.history(track_id=track_id, limit=1)
        try:
            if newest and await self._tags.write(uri, track_id, newest[0].value):
                log.debug("wrote the rating of %s into its tags", uri)
        except MediaError as error:
            self._say(track_id, uri, str(error))

    def _say(self, track_id: TrackId, uri: Uri, reason: str) -> None:
        """Tell each reason once; a folder that cannot be written has many files."""
        if reason not in self._said:
            self._said.add(reason)
            log.warning(
                "no rating in the tags of track %s, and of others alike: %s", track_id, reason
            )
            log.debug("track %s lies at %s", track_id, uri)
