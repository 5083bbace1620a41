"""Commands `train`, `evaluators` and `rollback`."""

from argparse import Namespace

from anagnorisis import text
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.output import progress_bar, show_json, show_table
from anagnorisis.requests import collect_pages
from anagnorisis.v1 import evaluator_pb2 as messages
from anagnorisis.v1.evaluator_pb2_grpc import EvaluatorServiceStub

STATUSES = {
    messages.EVALUATOR_STATUS_CURRENT: "current",
    messages.EVALUATOR_STATUS_NOT_PROMOTED: "not promoted",
    messages.EVALUATOR_STATUS_RETIRED: "retired",
}


def train(arguments: Namespace) -> None:
    """Train a new evaluator and show the progress."""
    last = messages.TrainEvaluatorResponse()
    with connected(arguments) as channel:
        answers = EvaluatorServiceStub(channel).TrainEvaluator(messages.TrainEvaluatorRequest())
        if arguments.json:
            for last in answers:
                show_json(last, line=True)
            return
        with progress_bar() as bar:
            for last in answers:
                if not last.outcome:
                    bar.show(text.printable(last.message), last.progress)
    print(text.printable(last.reason))
    if last.HasField("evaluator"):
        print(f"evaluator {quality(last.evaluator)}")
        _print_findings(last.evaluator)


def evaluators(arguments: Namespace) -> None:
    """List the trained evaluators."""
    with connected(arguments) as channel:
        found = collect_pages(
            EvaluatorServiceStub(channel).ListEvaluators,
            messages.ListEvaluatorsRequest(),
            "evaluators",
            arguments.limit,
        )
    if arguments.json:
        for evaluator in found:
            show_json(evaluator, line=True)
        return
    show_table(
        ("VERSION", "TRAINED", "MODEL", "RATINGS", "ERROR", "OF BASELINE", "STATUS"),
        [_row(evaluator) for evaluator in found],
    )
    for evaluator in found:
        if evaluator.status == messages.EVALUATOR_STATUS_CURRENT:
            _print_findings(evaluator)


def rollback(arguments: Namespace) -> None:
    """Make an earlier evaluator current."""
    request = messages.RollbackEvaluatorRequest(version=arguments.version)
    with connected(arguments) as channel:
        answer = EvaluatorServiceStub(channel).RollbackEvaluator(request, timeout=SECONDS_TO_ANSWER)
    if arguments.json:
        show_json(answer)
    else:
        print(f"current evaluator: {quality(answer.evaluator)}")


def quality(evaluator: messages.Evaluator) -> str:
    """Return version, model and cross-validation error of an evaluator."""
    metrics = evaluator.metrics
    return (
        f"{evaluator.version} ({text.printable(evaluator.model)}, "
        f"{text.counted(evaluator.rating_count, 'rating')}): "
        f"mean absolute error {metrics.mean_absolute_error:.2f} "
        f"(baseline {metrics.baseline_error:.2f})"
    )


def _print_findings(evaluator: messages.Evaluator) -> None:
    if evaluator.implicit_feedback:
        print(f"plays and skips: {text.printable(evaluator.implicit_feedback)}")
    if evaluator.tag_preferences:
        print(f"taste: {text.preferences(evaluator.tag_preferences)}")


def _row(evaluator: messages.Evaluator) -> tuple[str, ...]:
    return (
        str(evaluator.version),
        text.when(evaluator.trained_at),
        text.printable(evaluator.model),
        str(evaluator.rating_count),
        f"{evaluator.metrics.mean_absolute_error:.2f}",
        f"{evaluator.metrics.error_ratio:.0%}",
        STATUSES.get(evaluator.status, ""),
    )
