"""The report, drawn in a worker process, since plotting takes imports and memory."""

from typing import cast

from anagnorisisd.adapters.workers import WorkerPool
from anagnorisisd.domain.report import Material

DRAWING_SECONDS = 600.0


class WorkerReporter:
    """Implements `ports.reporter.Reporter`."""

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    async def draw(self, material: Material) -> str:
        """Return a self-contained HTML page."""
        answer = await self._workers.run(
            "anagnorisisd.ml.report.page:draw", material, timeout_seconds=DRAWING_SECONDS
        )
        return cast("str", answer)
