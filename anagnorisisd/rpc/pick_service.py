"""`PickService`: previews, explanations, suggestions, and the switch for picking."""

import secrets
from collections.abc import Callable
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import pick_pb2 as messages
from anagnorisis.v1.pick_pb2_grpc import PickServiceServicer
from anagnorisisd.domain.pick import Pick
from anagnorisisd.rpc import conversion, validation
from anagnorisisd.rpc.roles import Curious, Picker
from anagnorisisd.rpc.shielded_calls import shielded_call
from anagnorisisd.rpc.track_lookup import TrackLookup

Context = ServicerContext[Any, Any]

DEFAULT_SUGGESTIONS = 10
MAX_SUGGESTIONS = 100


class PickServicer(PickServiceServicer):
    """Implements `PickService`."""

    def __init__(
        self,
        *,
        picker: Picker,
        curiosity: Curious,
        tracks: TrackLookup,
        default_count: Callable[[], int],
    ) -> None:
        self._picker = picker
        self._explanations = curiosity
        self._tracks = tracks
        self._default_count = default_count

    async def PreviewPicks(
        self, request: messages.PreviewPicksRequest, context: Context
    ) -> messages.PreviewPicksResponse:
        """Return the next picks without queueing them."""
        count = validation.count("count", request.count, max(1, self._default_count()))
        seed = request.seed if request.HasField("seed") else None
        picks = await self._picker.preview(count, seed)
        return messages.PreviewPicksResponse(
            picks=[await self._pick_message(pick) for pick in picks]
        )

    async def ExplainTrack(
        self, request: messages.ExplainTrackRequest, context: Context
    ) -> messages.ExplainTrackResponse:
        """Return the factors of a track's weight and the influences on its predicted rating."""
        track = await self._tracks.find(request.target)
        explanation = await self._picker.explain(track.track_id)
        influences = await self._explanations.influences(track.track_id)
        contributions = await self._explanations.parts(track.track_id)
        matching_tags = await self._explanations.matching_tags(track)
        return messages.ExplainTrackResponse(
            track=conversion.track_message(track),
            explanation=conversion.explanation_message(explanation),
            influences=[
                messages.Influence(
                    track=conversion.track_message(await self._tracks.read(rated)), share=share
                )
                for rated, share in influences
            ],
            feature_contributions=[
                messages.FeatureContribution(feature=feature, share=share)
                for feature, share in sorted(contributions.items(), key=lambda part: -part[1])
            ],
            matching_tags=map(conversion.tag_preference_message, matching_tags),
        )

    async def SuggestTracks(
        self, request: messages.SuggestTracksRequest, context: Context
    ) -> messages.SuggestTracksResponse:
        """Return the tracks whose ratings would improve predictions most; queue them on request."""
        count = validation.count("count", request.count, DEFAULT_SUGGESTIONS, MAX_SUGGESTIONS)
        seed = request.seed if request.HasField("seed") else secrets.randbits(32)
        excluded = await self._picker.excluded()
        suggested = await self._explanations.suggest(count, seed, excluded)
        queued = await shielded_call(self._picker.enqueue(suggested)) if request.queue else {}
        return messages.SuggestTracksResponse(
            suggestions=[
                messages.Suggestion(
                    track=conversion.track_message(await self._tracks.read(track_id)),
                    song_id=queued.get(track_id),
                )
                for track_id in suggested
            ]
        )

    async def SetPicking(
        self, request: messages.SetPickingRequest, context: Context
    ) -> messages.SetPickingResponse:
        """Switch picking on or off."""
        await shielded_call(self._picker.switch(request.enabled))
        return messages.SetPickingResponse(enabled=request.enabled)

    async def _pick_message(self, pick: Pick) -> messages.Pick:
        return messages.Pick(
            track=conversion.track_message(await self._tracks.read(pick.track_id)),
            explanation=conversion.explanation_message(pick.explanation),
        )
