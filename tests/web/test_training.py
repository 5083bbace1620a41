"""The training that all pages follow, with a daemon in the hands of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx

from anagnorisis.v1 import daemon_pb2, daemon_pb2_grpc, evaluator_pb2, evaluator_pb2_grpc
from anagnorisis_web import app
from anagnorisis_web.daemon import Daemon
from tests.support.until import until_async


class TrainingDaemon(
    daemon_pb2_grpc.DaemonServiceServicer, evaluator_pb2_grpc.EvaluatorServiceServicer
):
    """A daemon in which a training runs until the test ends it."""

    def __init__(self) -> None:
        self.requests: list[evaluator_pb2.TrainEvaluatorRequest] = []
        self.end = asyncio.Event()
        self.evaluations = 0

    async def GetStatus(self, request: Any, context: Any) -> daemon_pb2.GetStatusResponse:
        training = daemon_pb2.TrainingStatus(running=not self.end.is_set())
        evaluator = evaluator_pb2.Evaluator(version=3)
        return daemon_pb2.GetStatusResponse(training=training, evaluator=evaluator)

    async def GetEvaluation(
        self, request: Any, context: Any
    ) -> evaluator_pb2.GetEvaluationResponse:
        self.evaluations += 1
        await self.end.wait()
        curve = evaluator_pb2.LearningCurve(model="mean")
        curve.points.add(rating_count=20, mean_absolute_error=1.75)
        answer = evaluator_pb2.GetEvaluationResponse(version=3, learning_curves=[curve])
        answer.calibration.add(nominal_share=0.5, observed_share=0.44)
        return answer

    async def TrainEvaluator(
        self, request: evaluator_pb2.TrainEvaluatorRequest, context: Any
    ) -> AsyncIterator[evaluator_pb2.TrainEvaluatorResponse]:
        self.requests.append(request)
        yield evaluator_pb2.TrainEvaluatorResponse(
            phase=evaluator_pb2.TRAINING_PHASE_MODEL_SELECTION, progress=0.25
        )
        await self.end.wait()
        yield evaluator_pb2.TrainEvaluatorResponse(
            progress=1, outcome=evaluator_pb2.TRAINING_OUTCOME_NOT_PROMOTED, reason="it was worse"
        )


@asynccontextmanager
async def page_of(servicer: TrainingDaemon, socket: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the page, without a network, in front of a daemon in the hands of a test."""
    server = grpc.aio.server()
    daemon_pb2_grpc.add_DaemonServiceServicer_to_server(servicer, server)
    evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    daemon = Daemon(grpc.aio.insecure_channel(f"unix:{socket}"), str(socket))
    transport = httpx.ASGITransport(app.build(daemon, app.Settings((), "secret" * 8)))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client
    finally:
        await daemon.close()
        await server.stop(None)


async def shown(page: httpx.AsyncClient, text: str, block: str = "training") -> str:
    """Return a section of the page Taste as soon as it contains a text."""

    section = ""

    async def is_shown() -> bool:
        nonlocal section
        answer = await page.get("/taste", headers={"x-fragment": block})
        section = answer.text
        return text in section

    await until_async(is_shown)
    return section


async def test_a_training_that_runs_already_is_followed_and_not_started_again(
    tmp_path: Path,
) -> None:
    servicer = TrainingDaemon()  # type: ignore[abstract]  # the page calls no other method
    async with page_of(servicer, tmp_path / "sock") as page:
        assert "Trying out models" in await shown(page, 'value="0.25"')
        assert [request.running_only for request in servicer.requests] == [True]
        servicer.end.set()
        assert "the present one stays" in await shown(page, "it was worse")
        assert len(servicer.requests) == 1


async def test_an_evaluation_is_computed_once_and_shown_when_it_is_there(tmp_path: Path) -> None:
    servicer = TrainingDaemon()  # type: ignore[abstract]  # the page calls no other method
    async with page_of(servicer, tmp_path / "sock") as page:
        for _ in range(3):
            assert "being checked" in await shown(page, "<progress", "evaluation")
        await until_async(lambda: asyncio.sleep(0, servicer.evaluations == 1))
        servicer.end.set()
        section = await shown(page, "1.75", "evaluation")
        assert "44%" in section
        assert servicer.evaluations == 1
