"""Drawing a report."""

from typing import Protocol

from anagnorisisd.report.data import ReportData


class Reporter(Protocol):
    """Makes a page of it."""

    async def check(self) -> None:
        """Raise `PreconditionFailed` if the plotting library is not installed; takes no time."""
        ...

    async def draw(self, material: ReportData) -> str:
        """Return a self-contained HTML page.

        Raises:
            PreconditionFailed: the plotting library is not installed.
        """
        ...
