"""Which files of the guide are made from the code, and by what."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tools.docs import api, commands, configuration, plots

DOCS = Path(__file__).resolve().parents[2] / "docs"

PAGES: Mapping[Path, Callable[[], str]] = {
    DOCS / "configuration.md": configuration.page,
    DOCS / "api.md": api.page,
    DOCS / "commands.md": commands.page,
}
PICTURES: Mapping[Path, Callable[[], str]] = {
    DOCS / "pictures" / f"{name}.svg": plot for name, plot in plots.PLOTS.items()
}
