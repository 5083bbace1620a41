"""Which tracks stand in the queue; uris are looked up once while the library stays as it is."""

from collections.abc import Mapping, Sequence

from anagnorisisd.domain.event import LibraryChanged
from anagnorisisd.domain.player import QueueEntry, SongId
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.ports.stores import LibraryStore
from anagnorisisd.services.events import Events


class QueueTracks:
    """Finds the tracks of queue entries."""

    def __init__(self, library: LibraryStore, events: Events) -> None:
        self._library = library
        self._news = events.subscribe()
        self._known: dict[Uri, TrackId | None] = {}

    async def of(self, queue: Sequence[QueueEntry]) -> Mapping[SongId, TrackId]:
        """Return the track of every entry that is of the library."""
        if any(
            told.missed or isinstance(told.event, LibraryChanged) for told in self._news.arrived()
        ):
            self._known.clear()
        known = {entry.uri: await self._track(entry.uri) for entry in queue}
        self._known = known
        tracks = ((entry.song_id, known[entry.uri]) for entry in queue)
        return {song_id: track_id for song_id, track_id in tracks if track_id is not None}

    async def _track(self, uri: Uri) -> TrackId | None:
        if uri in self._known:
            return self._known[uri]
        return await self._library.track_at(uri)
