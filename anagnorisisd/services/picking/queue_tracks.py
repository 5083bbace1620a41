"""Which tracks stand in the queue."""

from collections.abc import Mapping, Sequence

from anagnorisisd.domain.player import QueueEntry, SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.services.ratings.uri_tracks import UriTracks


async def tracks_of(queue: Sequence[QueueEntry], tracks: UriTracks) -> Mapping[SongId, TrackId]:
    """Return the track of every entry that is of the library."""
    found = {entry.song_id: await tracks.at(entry.uri) for entry in queue}
    return {song_id: track_id for song_id, track_id in found.items() if track_id is not None}
