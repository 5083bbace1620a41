"""Draws the report in a worker process, because matplotlib is slow to import and large."""

import importlib.util
from pathlib import Path
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


async def draw(workers: WorkerPool, cache: Path, data: ReportData) -> str:
    """Return a self-contained HTML page; matplotlib keeps its list of fonts below `cache`."""
    answer = await workers.run(
        "anagnorisisd.report.page:draw_in_worker",
        data,
        str(cache / "matplotlib"),
        timeout_seconds=DRAW_TIMEOUT_SECONDS,
        answer=str,
    )
    return cast("str", answer)
