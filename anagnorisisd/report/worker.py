"""Draw the report in a worker process: importing matplotlib is slow and takes much memory."""

from pathlib import Path
from typing import cast

from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.extras import install_command, is_installed
from anagnorisisd.report.data import ReportData
from anagnorisisd.workers.pool import WorkerPool

DRAW_TIMEOUT_SECONDS = 600.0


def require_matplotlib() -> None:
    """Raise `PreconditionFailed` if matplotlib is not installed; do not import it."""
    if not is_installed("report"):
        raise PreconditionFailed(
            "the report needs matplotlib, which is not installed; "
            f"install it with `{install_command('report')}`"
        )


async def draw(workers: WorkerPool, cache: Path, data: ReportData) -> str:
    """Return the report as HTML; matplotlib keeps its font cache below `cache`."""
    answer = await workers.run(
        "anagnorisisd.report.page:draw_in_worker",
        data,
        str(cache / "matplotlib"),
        timeout_seconds=DRAW_TIMEOUT_SECONDS,
        result_type=str,
    )
    return cast("str", answer)
