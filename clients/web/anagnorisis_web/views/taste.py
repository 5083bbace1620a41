"""The page Taste: training, the evaluator, what the listener likes, and the rating history."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from anagnorisis import text
from anagnorisis.v1 import evaluator_pb2 as evaluators
from anagnorisis.v1.daemon_pb2 import GetStatusRequest
from anagnorisis.v1.library_pb2 import GetTrackRequest
from anagnorisis.v1.rating_pb2 import ListRatingsRequest, Rating
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web import charts, rating_history
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.evaluation import Evaluation
from anagnorisis_web.pages import FRAGMENT_HEADER, Pages, redirect, redirect_back
from anagnorisis_web.rating_history import RatingHistory
from anagnorisis_web.training import Training

RECENT = 10
PAGE_SIZE = 50
VERSIONS = 20

Values = Mapping[str, Any]


class HistoryEntry(NamedTuple):
    """An entry of the rating history, and the name of its track."""

    rating: Rating
    name: str


def routes(daemon: Daemon, pages: Pages, training: Training, evaluation: Evaluation) -> list[Route]:
    """Return the routes of this page and of those that it leads to."""
    history = RatingHistory(daemon)

    async def status() -> Values:
        answer = await daemon.daemon.GetStatus(GetStatusRequest(), timeout=TIMEOUT_SECONDS)
        if answer.training.running:
            training.join()
        return {"status": answer, "training": training, "evaluator": answer.evaluator}

    async def evaluated() -> Values:
        answer = await daemon.daemon.GetStatus(GetStatusRequest(), timeout=TIMEOUT_SECONDS)
        if answer.HasField("evaluator"):
            evaluation.request(answer.evaluator.version)
        return {"status": answer, "evaluation": evaluation}

    async def statistics() -> Values:
        entries = await history.entries()
        counts = rating_history.distribution(entries)
        periods = rating_history.periods(entries)
        return {
            "rated": sum(counts),
            "distribution_rows": list(enumerate(counts)),
            "distribution": charts.bar_chart(
                {str(rating): count for rating, count in enumerate(counts)}
            ),
            "period_rows": [(each.name, each.ratings, f"{each.mean:.1f}") for each in periods],
            "over_time": charts.bar_chart({period.name: period.ratings for period in periods}),
        }

    async def recent() -> Values:
        request = ListRatingsRequest(page_size=RECENT)
        answer = await daemon.ratings.ListRatings(request, timeout=TIMEOUT_SECONDS)
        return {"entries": await _named(daemon, answer.ratings), "next": answer.next_page_token}

    async def versions() -> Values:
        request = evaluators.ListEvaluatorsRequest(page_size=VERSIONS)
        answer = await daemon.evaluators.ListEvaluators(request, timeout=TIMEOUT_SECONDS)
        return {"versions": answer.evaluators}

    loaders: Mapping[str, Callable[[], Awaitable[Values]]] = {
        "training": status,
        "evaluator": status,
        "preferences": status,
        "evaluation": evaluated,
        "statistics": statistics,
        "history": recent,
        "versions": versions,
    }

    async def show(request: Request) -> Response:
        block = request.headers.get(FRAGMENT_HEADER, "")
        wanted = {loaders[block]} if block in loaders else set(loaders.values())
        values: dict[str, Any] = {}
        for loaded in await asyncio.gather(*(load() for load in wanted)):
            values.update(loaded)
        # The evaluation may have ended meanwhile; between here and the page it cannot.
        if "evaluation" in values and evaluation.result:
            values.update(_evaluation_charts(evaluation.result))
        return pages.respond(request, "taste.html", values)

    async def train(request: Request, form: FormData) -> Response:
        training.start()
        return redirect_back(request, form)

    async def show_ratings(request: Request) -> Response:
        listed = ListRatingsRequest(
            page_size=PAGE_SIZE, page_token=request.query_params.get("page", "")
        )
        answer = await daemon.ratings.ListRatings(listed, timeout=TIMEOUT_SECONDS)
        values = {
            "entries": await _named(daemon, answer.ratings),
            "next": answer.next_page_token,
            "first": not listed.page_token,
        }
        return pages.respond(request, "ratings.html", values)

    async def ask_for_rollback(request: Request) -> Response:
        version = request.path_params["version"]
        found = (await versions())["versions"]
        chosen = [each for each in found if each.version == version]
        if not chosen:
            return RedirectResponse("/taste", 303)
        return pages.respond(request, "rollback.html", {"evaluator": chosen[0]})

    async def roll_back(request: Request, form: FormData) -> Response:
        version = str(form.get("version", ""))
        asked = evaluators.RollbackEvaluatorRequest(
            version=int(version) if version.isascii() and version.isdigit() else -1
        )
        answer = await daemon.evaluators.RollbackEvaluator(asked, timeout=TIMEOUT_SECONDS)
        message = pages.texts(request)("taste.rolled_back", version=answer.evaluator.version)
        return redirect(request, "/taste", message)

    return [
        Route("/taste", show),
        Route("/taste/ratings", show_ratings),
        Route("/taste/rollback/{version:int}", ask_for_rollback),
        form_route("/train", train),
        form_route("/rollback", roll_back),
    ]


def _evaluation_charts(result: evaluators.GetEvaluationResponse) -> Values:
    curves = {
        curve.model: [(point.rating_count, point.mean_absolute_error) for point in curve.points]
        for curve in result.learning_curves
        if curve.points
    }
    most = max((count for points in curves.values() for count, _ in points), default=1)
    sizes = sorted({count for points in curves.values() for count, _ in points})
    errors = [{count: f"{error:.2f}" for count, error in points} for points in curves.values()]
    shares = [(point.nominal_share, point.observed_share) for point in result.calibration]
    return {
        "learning_curve": charts.line_chart(curves, (0, most)),
        "learning_rows": [(size, *(each.get(size, "") for each in errors)) for size in sizes],
        "calibration": charts.line_chart({"": shares}, (0, 1), (0, 1), diagonal=True),
        "calibration_rows": [(f"{one:.0%}", f"{other:.0%}") for one, other in shares],
    }


async def _named(daemon: Daemon, ratings: Sequence[Rating]) -> list[HistoryEntry]:
    """Return entries of the history with the names of their tracks."""
    names = {rating.track_id: rating.uri for rating in ratings}

    async def look_up(track_id: str) -> None:
        request = GetTrackRequest(target=Target(track_id=track_id))
        try:
            answer = await daemon.library.GetTrack(request, timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        else:
            names[track_id] = text.name(answer.track)

    await asyncio.gather(*map(look_up, list(names)))
    return [HistoryEntry(rating, names[rating.track_id]) for rating in ratings]
