"""The parts of the bench."""

import importlib
from pathlib import Path

ENTRY = "\ndef run(full: bool) -> None:\n"
"""A module with this is a part; the others serve them."""


def names() -> list[str]:
    """Return the names of all parts, in the order of the alphabet."""
    modules = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in modules if ENTRY in path.read_text())


def measure(name: str, full: bool) -> None:
    """Have a part print what it measures."""
    importlib.import_module(f"bench.{name}").run(full)
