"""Which track is meant: by its id, its path, its place in MPD's queue, or because it plays."""

from anagnorisisd.domain.player import Player, SongId
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import NothingPlaying, UnknownTrack
from anagnorisisd.storage.library import LibraryStore


class TrackResolver:
    """Finds the track that a request means."""

    def __init__(self, library: LibraryStore, player: Player) -> None:
        self._library = library
        self._player = player

    def are_of(self, address: str) -> bool:
        """Tell whether songs named by a client are those of the player at this address."""
        return self._player.link().address == address

    async def at_uri(self, uri: Uri) -> TrackId:
        """Return the track whose file lies at `uri`, relative to the music directory.

        Raises:
            UnknownTrack: no file of the library lies, or lay, there.
        """
        track_id = await self._library.track_at(uri)
        if track_id is None:
            raise UnknownTrack(
                f"no track of the library lies at {uri!r}; "
                "paths are relative to the music directory"
            )
        return track_id

    async def named(self, name: str) -> TrackId:
        """Return the track of the file that the player calls `name`.

        Raises:
            UnknownTrack: no file of the library lies, or lay, there.
        """
        return await self.at_uri(self._player.uri(name))

    async def of_song(self, song_id: SongId) -> TrackId:
        """Return the track of one entry of MPD's queue.

        Raises:
            UnknownTrack: MPD has no such entry, or it is not of the library.
        """
        uri = await self._player.uri_of(song_id)
        if uri is None:
            raise UnknownTrack(f"MPD's queue has no song with the id {song_id}")
        return await self.at_uri(uri)

    async def current(self) -> TrackId:
        """Return the track that is playing or paused.

        Raises:
            NothingPlaying: the player has no current song.
            UnknownTrack: the song is not of the library.
        """
        return await self.playing((await self._player.state()).uri)

    async def playing(self, uri: Uri | None) -> TrackId:
        """Return the track of the current song, whose file is `uri`; raises as `current` does."""
        if uri is None:
            raise NothingPlaying("nothing is playing; name a track, or start playback first")
        return await self.at_uri(uri)
