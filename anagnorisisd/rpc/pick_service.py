"""`PickService`: previews, explanations, suggestions, steering, and the switch for picking."""

import secrets
from collections.abc import Callable
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import pick_pb2 as messages
from anagnorisis.v1.pick_pb2_grpc import PickServiceServicer
from anagnorisisd.clock import Clock
from anagnorisisd.domain.pick import Pick
from anagnorisisd.errors import InvalidValue
from anagnorisisd.picks.service import PickService
from anagnorisisd.rpc import conversion, steering_conversion, validation
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.taste.explanations import Explanations

Context = ServicerContext[Any, Any]

DEFAULT_SUGGESTIONS = 10
MAX_SUGGESTIONS = 100
DEFAULT_JOURNEY = 12
MAX_JOURNEY = 200


class PickServicer(PickServiceServicer):
    """Implements `PickService`."""

    def __init__(
        self,
        *,
        picks: PickService,
        explanations: Explanations,
        steering: SteeringService,
        tracks: TrackLookup,
        clock: Clock,
        default_count: Callable[[], int],
    ) -> None:
        self._picks = picks
        self._explanations = explanations
        self._steering = steering
        self._clock = clock
        self._tracks = tracks
        self._default_count = default_count

    async def PreviewPicks(
        self, request: messages.PreviewPicksRequest, context: Context
    ) -> messages.PreviewPicksResponse:
        """Return the next picks without queueing them."""
        count = validation.count("count", request.count, max(1, self._default_count()))
        seed = request.seed if request.HasField("seed") else None
        picks = await self._picks.preview(count, seed, unsteered=request.unsteered)
        return messages.PreviewPicksResponse(
            picks=[await self._pick_message(pick) for pick in picks]
        )

    async def ExplainTrack(
        self, request: messages.ExplainTrackRequest, context: Context
    ) -> messages.ExplainTrackResponse:
        """Return the factors of a track's weight and the influences on its predicted rating."""
        track = await self._tracks.find(request.target)
        explanation = await self._picks.explain(track.track_id)
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
        excluded = await self._picks.excluded()
        suggested = await self._explanations.suggest(count, seed, excluded)
        queued = await run_to_completion(self._picks.enqueue(suggested)) if request.queue else {}
        return messages.SuggestTracksResponse(
            suggestions=[
                messages.Suggestion(
                    track=conversion.track_message(await self._tracks.read(track_id)),
                    song_id=queued.get(track_id),
                )
                for track_id in suggested
            ]
        )

    async def PlanJourney(
        self, request: messages.PlanJourneyRequest, context: Context
    ) -> messages.PlanJourneyResponse:
        """Return tracks that lead from one to another; queue them on request."""
        count = validation.count("count", request.count, DEFAULT_JOURNEY, MAX_JOURNEY)
        if count < len(("start", "end")):
            raise InvalidValue("count", "a journey has 2 tracks or more")
        start = await self._tracks.find(request.start)
        end = await self._tracks.find(request.end)
        if start.track_id == end.track_id:
            raise InvalidValue("end", "is the track that the journey starts with")
        found = await self._picks.journey(start.track_id, end.track_id, count)
        track_ids = [track_id for track_id, _ in found]
        queued = await run_to_completion(self._picks.enqueue(track_ids)) if request.queue else {}
        return messages.PlanJourneyResponse(
            tracks=[
                messages.JourneyStep(
                    track=conversion.track_message(await self._tracks.read(track_id)),
                    similarity=similarity,
                    song_id=queued.get(track_id),
                )
                for track_id, similarity in found
            ]
        )

    async def SkipAlbum(
        self, request: messages.SkipAlbumRequest, context: Context
    ) -> messages.SkipAlbumResponse:
        """Remove the rest of the current album, and go to the next song."""
        removed = await run_to_completion(self._picks.skip_album())
        return messages.SkipAlbumResponse(removed=removed)

    async def ListUpcomingPicks(
        self, request: messages.ListUpcomingPicksRequest, context: Context
    ) -> messages.ListUpcomingPicksResponse:
        """List the picks in the queue that are still to come."""
        return messages.ListUpcomingPicksResponse(
            picks=[
                messages.UpcomingPick(
                    song_id=pick.song_id,
                    track=conversion.track_message(await self._tracks.read(pick.track_id)),
                    explanation=None
                    if pick.explanation is None
                    else conversion.explanation_message(pick.explanation),
                )
                for pick in await self._picks.upcoming()
            ]
        )

    async def RemovePick(
        self, request: messages.RemovePickRequest, context: Context
    ) -> messages.RemovePickResponse:
        """Remove a pick from the queue."""
        song_id = validation.song_id(request.song_id, "song_id")
        track_id = await run_to_completion(self._picks.remove(song_id))
        track = await self._tracks.read(track_id)
        return messages.RemovePickResponse(track=conversion.track_message(track))

    async def SetPicking(
        self, request: messages.SetPickingRequest, context: Context
    ) -> messages.SetPickingResponse:
        """Switch picking on or off."""
        await run_to_completion(self._picks.switch(request.enabled))
        return messages.SetPickingResponse(enabled=request.enabled)

    async def SetSteering(
        self, request: messages.SetSteeringRequest, context: Context
    ) -> messages.SetSteeringResponse:
        """Steer the picks, or end that."""
        now = self._clock.now()
        wanted = await steering_conversion.requested_steering(request, self._tracks, now)
        await run_to_completion(self._steering.steer(wanted))
        return messages.SetSteeringResponse(steering=await self._steering_message())

    async def GetSteering(
        self, request: messages.GetSteeringRequest, context: Context
    ) -> messages.GetSteeringResponse:
        """Return how picks are steered now."""
        return messages.GetSteeringResponse(steering=await self._steering_message())

    async def _steering_message(self) -> messages.Steering | None:
        steering = await self._steering.current()
        problems = await self._picks.steering_problems() if steering else {}
        return steering_conversion.steering_message(steering, problems)

    async def _pick_message(self, pick: Pick) -> messages.Pick:
        return messages.Pick(
            track=conversion.track_message(await self._tracks.read(pick.track_id)),
            explanation=conversion.explanation_message(pick.explanation),
        )
