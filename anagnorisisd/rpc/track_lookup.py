"""Lookup of the track that the `Target` of a request identifies."""

from collections.abc import Iterable, Mapping

from anagnorisis.v1.track_pb2 import Target
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.track import Track, TrackId, Uri
from anagnorisisd.errors import InvalidValue
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.rpc import validation
from anagnorisisd.storage.library import LibraryStore


class TrackLookup:
    """Resolves targets and reads tracks for the servicers."""

    def __init__(self, targets: TrackResolver, library: LibraryStore, stamp: EmbedderStamp) -> None:
        self._targets = targets
        self._library = library
        self._stamp = stamp

    async def resolve(self, target: Target) -> TrackId:
        """Return the id of the target track; a `track_id` need not be in the library.

        Raises:
            InvalidValue: the target is empty or malformed.
            UnknownTrack: no track has this path or song id.
            NothingPlaying: the target is the current song, and there is none.
            PlayerUnavailable: the target requires the player, which is not connected.
        """
        kind = target.WhichOneof("kind")
        if kind in {"mpd_uri", "song_id"} and not self._is_connected_mpd(target.mpd_address):
            # Song ids and URIs of another MPD mean nothing here: use the current song of this MPD.
            return await self._targets.current()
        match kind:
            case "track_id":
                return validation.track_id(target.track_id)
            case "uri":
                return await self._targets.at_uri(Uri(validation.path("target.uri", target.uri)))
            case "mpd_uri":
                return await self._targets.named(validation.path("target.mpd_uri", target.mpd_uri))
            case "song_id":
                return await self._targets.of_song(validation.song_id(target.song_id))
            case "current":
                return await self._targets.current()
            case _:
                raise InvalidValue("target", "set track_id, uri, mpd_uri, song_id or current")

    def _is_connected_mpd(self, address: str) -> bool:
        """Return whether `address`, as a client sees it, is the MPD that the daemon uses."""
        if not address:
            return True
        return self._targets.uses_player_at(validation.path("target.mpd_address", address))

    async def find(self, target: Target) -> Track:
        """Return the target track; raises the errors of `resolve` and `read`."""
        return await self.read(await self.resolve(target))

    async def read(self, track_id: TrackId) -> Track:
        """Return a track.

        Raises:
            UnknownTrack: the library has no such track.
        """
        return await self._library.track(track_id, self._stamp)

    async def uris(self, track_ids: Iterable[TrackId]) -> Mapping[TrackId, Uri]:
        """Return the path of a present file for each track that has one."""
        return await self._library.uris(sorted(set(track_ids)))
