"""Draws the report in a worker process, because matplotlib is slow to import and large."""

import importlib.util
from typing import cast

from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.report.data import ReportData
from anagnorisisd.workers.pool import WorkerPool

MATPLOTLIB_MISSING = (
    "the report is drawn by matplotlib, which is not installed; "
    "install it beside the daemon: pip install 'anagnorisisd[report]'"
)
DRAW_TIMEOUT_SECONDS = 600.0


def require_matplotlib() -> None:
    """Raise `PreconditionFailed` if matplotlib is not installed; does not import it."""
    if importlib.util.find_spec("matplotlib") is None:
        raise PreconditionFailed(MATPLOTLIB_MISSING)


async def draw(workers: WorkerPool, data: ReportData) -> str:
    """Return a self-contained HTML page."""
    answer = await workers.run(
        "anagnorisisd.report.page:draw",
        data,
        timeout_seconds=DRAW_TIMEOUT_SECONDS,
        answer=str,
    )
    return cast("str", answer)
