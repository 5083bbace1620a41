"""Which track lies at a uri; looked up once while the library stays as it is."""

from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.storage.library import LibraryStore


class TrackIdCache:
    """Remembers what the library said."""

    def __init__(self, library: LibraryStore, events: Events) -> None:
        self._library = library
        self._news = events.subscribe()
        self._known: dict[Uri, TrackId | None] = {}

    async def at(self, uri: Uri) -> TrackId | None:
        """Return the track whose file lies at `uri`, if the library has one."""
        if any(
            told.missed or isinstance(told.event, LibraryChanged) for told in self._news.arrived()
        ):
            self._known.clear()
        if uri not in self._known:
            self._known[uri] = await self._library.track_at(uri)
        return self._known[uri]
