"""`PlaybackService`: control of the player and its queue."""

from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1 import playback_pb2 as messages
from anagnorisis.v1.playback_pb2_grpc import PlaybackServiceServicer
from anagnorisisd.domain.player import Player
from anagnorisisd.errors import InvalidValue
from anagnorisisd.listening.playback_control import PlaybackAction, PlaybackControl, QueuePosition
from anagnorisisd.rpc import conversion
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.storage.library import LibraryStore

Context = ServicerContext[Any, Any]

ACTIONS = {
    messages.PLAYBACK_ACTION_PLAY: PlaybackAction.PLAY,
    messages.PLAYBACK_ACTION_PAUSE: PlaybackAction.PAUSE,
    messages.PLAYBACK_ACTION_NEXT: PlaybackAction.NEXT,
    messages.PLAYBACK_ACTION_PREVIOUS: PlaybackAction.PREVIOUS,
}
POSITIONS = {
    messages.QUEUE_POSITION_UNSPECIFIED: QueuePosition.END,
    messages.QUEUE_POSITION_NEXT: QueuePosition.NEXT,
    messages.QUEUE_POSITION_END: QueuePosition.END,
    messages.QUEUE_POSITION_NOW: QueuePosition.NOW,
}


class PlaybackReader:
    """Reads the player's state and the track of its current song."""

    def __init__(self, player: Player, library: LibraryStore, tracks: TrackLookup) -> None:
        self._player = player
        self._library = library
        self._tracks = tracks

    async def read(self) -> daemon_pb2.Playback:
        """Return the player's state.

        Raises:
            PlayerUnavailable: the player is not connected.
        """
        state = await self._player.state()
        playback = daemon_pb2.Playback(
            state=conversion.PLAYBACK_STATES[state.playback_state],
            song_id=state.song_id,
            uri=conversion.printable(state.uri),
            elapsed_seconds=state.elapsed_seconds,
            duration_seconds=state.duration_seconds,
        )
        track_id = await self._library.track_at(state.uri) if state.uri else None
        if track_id is not None:
            track = await self._tracks.read(track_id)
            playback.track.CopyFrom(conversion.track_message(track))
        return playback


class PlaybackServicer(PlaybackServiceServicer):
    """Implements `PlaybackService`."""

    def __init__(
        self, control: PlaybackControl, playback: PlaybackReader, tracks: TrackLookup
    ) -> None:
        self._control = control
        self._playback = playback
        self._tracks = tracks

    async def ControlPlayback(
        self, request: messages.ControlPlaybackRequest, context: Context
    ) -> messages.ControlPlaybackResponse:
        """Play, pause or change the song, and return the player's state."""
        if request.action not in ACTIONS:
            raise InvalidValue("action", "set it to play, pause, next or previous")
        await self._control.control(ACTIONS[request.action])
        return messages.ControlPlaybackResponse(playback=await self._playback.read())

    async def QueueTrack(
        self, request: messages.QueueTrackRequest, context: Context
    ) -> messages.QueueTrackResponse:
        """Add a track to the queue."""
        if request.position not in POSITIONS:
            raise InvalidValue("position", f"there is no position {request.position}")
        track = await self._tracks.find(request.target)
        queued = self._control.queue(track.track_id, POSITIONS[request.position])
        return messages.QueueTrackResponse(song_id=await run_to_completion(queued))
