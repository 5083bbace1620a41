"""Which tracks stand in the queue; looked up only for entries that have changed."""

from collections.abc import Mapping, Sequence

from anagnorisisd.domain.player import QueueEntry, SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library.track_id_cache import TrackIdCache
from anagnorisisd.storage.library import LibraryStore


class QueueTracks:
    """Remembers the queue that was asked about last."""

    def __init__(self, library: LibraryStore, events: Events) -> None:
        self._tracks = TrackIdCache(library, events)
        self._news = events.subscribe()
        self._entries: Sequence[QueueEntry] = ()
        self._found: Mapping[SongId, TrackId] = {}

    async def of(self, entries: Sequence[QueueEntry]) -> Mapping[SongId, TrackId]:
        """Return the track of every entry that is of the library; one caller at a time."""
        if any(
            told.missed or isinstance(told.event, LibraryChanged) for told in self._news.arrived()
        ):
            self._entries, self._found = (), {}
        before, found = self._entries, dict(self._found)
        # An entry that has not changed is the same object, and comparing objects takes no time.
        common = [pair for pair in zip(before, entries, strict=False) if pair[0] is not pair[1]]
        for entry in (*(old for old, _ in common), *before[len(entries) :]):
            found.pop(entry.song_id, None)
        for entry in (*(new for _, new in common), *entries[len(before) :]):
            track_id = await self._tracks.at(entry.uri)
            if track_id is not None:
                found[entry.song_id] = track_id
        self._entries, self._found = entries, found
        return found
