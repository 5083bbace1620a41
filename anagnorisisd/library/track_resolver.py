"""Finding a track: by its URI, its name in MPD, its place in MPD's queue, or because it plays."""

from anagnorisisd.domain.player import Player, SongId
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import NothingPlaying, UnknownTrack
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.storage.library import LibraryStore


class TrackResolver:
    """Finds the track that a request names."""

    def __init__(self, library: LibraryStore, player: Player) -> None:
        self._library = library
        self._player = player

    def uses_player_at(self, address: str) -> bool:
        """Return whether `address` is that of the player whose songs are found here."""
        return self._player.link().address == address

    async def at_uri(self, uri: Uri) -> TrackId:
        """Return the track of the file at `uri`, relative to the music directory.

        Raises:
            UnknownTrack: the library has, and had, no file there.
        """
        track_id = await self._library.track_at(uri)
        if track_id is None:
            raise UnknownTrack(
                f"the library has no track at {uri!r}; paths are relative to the music directory"
            )
        return track_id

    async def named(self, name: str) -> TrackId:
        """Return the track of the file that the player calls `name`.

        Raises:
            UnknownTrack: the library has, and had, no file there.
        """
        return await self.at_uri(self._player.uri(name))

    async def of_song(self, song_id: SongId) -> TrackId:
        """Return the track of an entry of MPD's queue.

        Raises:
            UnknownTrack: MPD has no such entry, or the library has no such track.
        """
        uri = await self._player.uri_of(song_id)
        if uri is None:
            raise UnknownTrack(f"MPD's queue has no song with the id {song_id}")
        return await self.at_uri(uri)

    async def current(self) -> TrackId:
        """Return the track that is playing or paused.

        Raises:
            NothingPlaying: the player has no current song.
            UnknownTrack: the library has no such track.
        """
        return await self.playing((await self._player.state()).uri)

    async def playing(self, uri: Uri | None) -> TrackId:
        """Return the track of the current song, whose file is at `uri`; raises as `current`."""
        if uri is None:
            raise NothingPlaying("nothing is playing; name a track, or start playback first")
        return await self.at_uri(uri)


class TrackIdCache:
    """Caches which track is at a URI until the library changes."""

    def __init__(self, library: LibraryStore, events: Events) -> None:
        self._library = library
        self._subscription = events.subscribe()
        self._cached: dict[Uri, TrackId | None] = {}

    async def get(self, uri: Uri) -> TrackId | None:
        """Return the track of the file at `uri`, `None` if the library has none."""
        if any(
            announcement.missed or isinstance(announcement.event, LibraryChanged)
            for announcement in self._subscription.arrived()
        ):
            self._cached.clear()
        if uri not in self._cached:
            self._cached[uri] = await self._library.track_at(uri)
        return self._cached[uri]
