"""Draws the report in a worker process, because matplotlib is slow to import and large."""

from pathlib import Path
from typing import cast

from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.extras import install_command, is_installed
from anagnorisisd.report.data import ReportData
from anagnorisisd.workers.pool import WorkerPool

DRAW_TIMEOUT_SECONDS = 600.0


def require_matplotlib() -> None:
    """Raise `PreconditionFailed` if matplotlib is not installed; does not import it."""
    if not is_installed("report"):
        raise PreconditionFailed(
            "the report is drawn by matplotlib, which is not installed; "
            f"`{install_command('report')}` installs it"
        )


async def draw(workers: WorkerPool, cache: Path, data: ReportData) -> str:
    """Return a self-contained HTML page; matplotlib keeps its list of fonts below `cache`."""
    answer = await workers.run(
        "anagnorisisd.report.page:draw_in_worker",
        data,
        str(cache / "matplotlib"),
        timeout_seconds=DRAW_TIMEOUT_SECONDS,
        result_type=str,
    )
    return cast("str", answer)
