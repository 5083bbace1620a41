"""Runs parts of the bench: `python -m bench [PART ...] [--full]`."""

import argparse
import importlib
from pathlib import Path

SUPPORT = {
    "__init__", "__main__", "bare", "listeners", "manager", "peers", "songs", "stocked", "trees",
    "turns", "watching",
}  # fmt: skip


def main() -> None:
    """Run the parts named on the command line, all of them by default."""
    parts = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - SUPPORT)
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the daemon.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--full", action="store_true", help="take more time for better numbers")
    arguments = parser.parse_args()
    for unknown in set(arguments.parts) - set(parts):
        parser.error(f"there is no part {unknown}; there are {', '.join(parts)}")
    for part in arguments.parts or parts:
        importlib.import_module(f"bench.{part}").run(arguments.full)


if __name__ == "__main__":
    main()
