"""`PickService`: what the daemon picks, and why."""

from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import pick_pb2 as messages
from anagnorisis.v1.pick_pb2_grpc import PickServiceServicer
from anagnorisisd.domain.pick import Pick
from anagnorisisd.rpc import reading, translate
from anagnorisisd.rpc.finding import Tracks
from anagnorisisd.rpc.roles import Picker, Trainer
from anagnorisisd.rpc.settled import settled

Context = ServicerContext[Any, Any]


class PickServicer(PickServiceServicer):
    """Shows and steers picks."""

    def __init__(
        self, picker: Picker, trainer: Trainer, tracks: Tracks, default_count: int
    ) -> None:
        self._picker = picker
        self._trainer = trainer
        self._tracks = tracks
        self._default_count = max(1, default_count)

    async def PreviewPicks(
        self, request: messages.PreviewPicksRequest, context: Context
    ) -> messages.PreviewPicksResponse:
        """Return the next picks without queueing them."""
        count = reading.count("count", request.count, self._default_count)
        seed = request.seed if request.HasField("seed") else None
        picks = await self._picker.preview(count, seed)
        return messages.PreviewPicksResponse(picks=[await self._pick(pick) for pick in picks])

    async def ExplainTrack(
        self, request: messages.ExplainTrackRequest, context: Context
    ) -> messages.ExplainTrackResponse:
        """Return every factor of a track's weight, and what shaped its predicted rating."""
        track = await self._tracks.find(request.target)
        explanation = await self._picker.explain(track.track_id)
        influences = await self._trainer.influences(track.track_id)
        return messages.ExplainTrackResponse(
            track=translate.track_message(track),
            explanation=translate.explanation_message(explanation),
            influences=[
                messages.Influence(
                    track=translate.track_message(await self._tracks.read(rated)), share=share
                )
                for rated, share in influences
            ],
        )

    async def SetPicking(
        self, request: messages.SetPickingRequest, context: Context
    ) -> messages.SetPickingResponse:
        """Switch picking on or off."""
        await settled(self._picker.switch(request.enabled))
        return messages.SetPickingResponse(enabled=request.enabled)

    async def _pick(self, pick: Pick) -> messages.Pick:
        return messages.Pick(
            track=translate.track_message(await self._tracks.read(pick.track_id)),
            explanation=translate.explanation_message(pick.explanation),
        )
