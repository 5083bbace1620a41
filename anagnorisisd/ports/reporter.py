"""Drawing a report."""

from typing import Protocol

from anagnorisisd.domain.report import Material


class Reporter(Protocol):
    """Makes a page of it."""

    async def draw(self, material: Material) -> str:
        """Return a self-contained HTML page.

        Raises:
            PreconditionFailed: the plotting library is not installed.
        """
        ...
