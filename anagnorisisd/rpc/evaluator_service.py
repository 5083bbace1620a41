"""`EvaluatorService`: training and the list of trained evaluators."""

from collections.abc import AsyncIterator
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import evaluator_pb2 as messages
from anagnorisis.v1.evaluator_pb2_grpc import EvaluatorServiceServicer
from anagnorisisd.domain.evaluator import EvaluatorStatus
from anagnorisisd.errors import InvalidValue, NoEvaluator, PreconditionFailed
from anagnorisisd.report.evaluation_service import EvaluationService
from anagnorisisd.rpc import conversion, paging, validation
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.taste.training_scheduler import TrainingScheduler

Context = ServicerContext[Any, Any]


class EvaluatorServicer(EvaluatorServiceServicer):
    """Implements `EvaluatorService`."""

    def __init__(
        self,
        training: TrainingScheduler,
        evaluators: EvaluatorStore,
        evaluations: EvaluationService,
    ) -> None:
        self._training = training
        self._evaluators = evaluators
        self._evaluations = evaluations

    async def TrainEvaluator(
        self, request: messages.TrainEvaluatorRequest, context: Context
    ) -> AsyncIterator[messages.TrainEvaluatorResponse]:
        """Train a new evaluator, or join the training that is running, and stream the progress."""
        follow = self._training.follow if request.running_only else self._training.train
        async for progress in follow():
            yield conversion.training_message(progress)

    async def GetEvaluator(
        self, request: messages.GetEvaluatorRequest, context: Context
    ) -> messages.GetEvaluatorResponse:
        """Return the current evaluator."""
        current = await self._evaluators.current()
        if current is None:
            raise NoEvaluator("no evaluator has been trained yet; rate some tracks, then train")
        return messages.GetEvaluatorResponse(evaluator=conversion.evaluator_message(current))

    async def GetEvaluation(
        self, request: messages.GetEvaluationRequest, context: Context
    ) -> messages.GetEvaluationResponse:
        """Evaluate the current evaluator on held-out ratings."""
        return conversion.evaluation_message(await self._evaluations.current())

    async def ListEvaluators(
        self, request: messages.ListEvaluatorsRequest, context: Context
    ) -> messages.ListEvaluatorsResponse:
        """List evaluators, newest first."""
        size = validation.count("page_size", request.page_size, validation.DEFAULT_PAGE)
        before = paging.position(request.page_token)
        found = await self._evaluators.versions(size + 1, before)
        return messages.ListEvaluatorsResponse(
            evaluators=[conversion.evaluator_message(version) for version in found[:size]],
            next_page_token=paging.token(found[size - 1].version) if len(found) > size else "",
        )

    async def RollbackEvaluator(
        self, request: messages.RollbackEvaluatorRequest, context: Context
    ) -> messages.RollbackEvaluatorResponse:
        """Make an earlier evaluator current; 0 selects the newest retired one."""
        if request.version < 0:
            raise InvalidValue("version", f"{request.version} is below 0")
        version = request.version or await self._previous_version()
        current = await run_to_completion(self._training.rollback(version))
        return messages.RollbackEvaluatorResponse(evaluator=conversion.evaluator_message(current))

    async def _previous_version(self) -> int:
        versions = await self._evaluators.versions(validation.MAX_PAGE_SIZE)
        retired = [entry for entry in versions if entry.status is EvaluatorStatus.RETIRED]
        if not retired:
            raise PreconditionFailed("there is no earlier evaluator to go back to")
        return retired[0].version
