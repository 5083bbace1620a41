"""Controls the player for clients of the gRPC service, and adds tracks to its queue.

The player reports what this changes as it reports what any client changes, so that a song that is
left early is judged as skipped.
"""

from enum import Enum, auto

from anagnorisisd.domain.player import PlaybackState, Player, SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import NothingPlaying, PreconditionFailed
from anagnorisisd.storage.library import LibraryStore


class PlaybackAction(Enum):
    """What the player is to do."""

    PLAY = auto()
    PAUSE = auto()
    NEXT = auto()
    PREVIOUS = auto()


class QueuePosition(Enum):
    """Where a track is added to the queue; `NOW` is after the current song, which is then left."""

    NEXT = auto()
    END = auto()
    NOW = auto()


class PlaybackControl:
    """Plays, pauses, changes songs, and adds the listener's own entries to the queue."""

    def __init__(self, library: LibraryStore, player: Player) -> None:
        self._library = library
        self._player = player

    async def control(self, action: PlaybackAction) -> None:
        """Let the player do something.

        Raises:
            PreconditionFailed: there is no song to play or to leave.
            PlayerRefused: the player does not permit it.
            PlayerUnavailable: the player is not connected.
        """
        state = await self._player.state()
        if action is PlaybackAction.PLAY:
            if not state.queue_length:
                raise PreconditionFailed("the queue is empty; add a track first")
            await self._player.play()
        elif action is PlaybackAction.PAUSE:
            await self._player.pause()
        elif state.playback_state is PlaybackState.STOP:
            raise NothingPlaying("playback is stopped; start it first")
        elif action is PlaybackAction.NEXT:
            await self._player.skip()
        else:
            await self._player.previous()

    async def queue(self, track_id: TrackId, position: QueuePosition) -> SongId:
        """Add a track to the queue as the listener's own entry, and return the entry's id.

        Raises:
            PreconditionFailed: the track's file is missing.
            UnknownToPlayer: the player's database does not have the file.
            PlayerFull: the queue is full.
            PlayerRefused: the player does not permit it.
            PlayerUnavailable: the player is not connected.
        """
        uri = (await self._library.uris([track_id])).get(track_id)
        if uri is None:
            raise PreconditionFailed("the track's file is missing")
        if position is QueuePosition.END:
            return await self._player.enqueue(uri)
        song_id = await self._player.enqueue_next(uri)
        if position is QueuePosition.NOW:
            await self._player.go_to(song_id)
        return song_id
