"""The report, drawn in a worker process, since plotting takes imports and memory."""

import importlib.util
from typing import cast

from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.report.data import ReportData
from anagnorisisd.workers.pool import WorkerPool

LACKING = (
    "the report is drawn by matplotlib, which is not installed; "
    "install it beside the daemon: pip install 'anagnorisisd[report]'"
)

DRAWING_SECONDS = 600.0


class ReportWorker:
    """Implements `ports.reporter.Reporter`."""

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    async def check(self) -> None:
        """Look whether the plotting library is there, without importing it."""
        if importlib.util.find_spec("matplotlib") is None:
            raise PreconditionFailed(LACKING)

    async def draw(self, material: ReportData) -> str:
        """Return a self-contained HTML page."""
        answer = await self._workers.run(
            "anagnorisisd.report.page:draw",
            material,
            timeout_seconds=DRAWING_SECONDS,
            answer=str,
        )
        return cast("str", answer)
