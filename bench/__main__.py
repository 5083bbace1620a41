"""Runs parts of the bench and prints them as one page: `python -m bench [PART ...] [--full]`."""

import argparse
import importlib
import os
import platform
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

ENTRY = "\ndef run(full: bool) -> None:\n"
"""A module with this is a part; the others serve them."""


def main() -> int:
    """Run the parts named on the command line, all of them by default; 1 if one could not run."""
    parts = _parts()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the daemon.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--full", action="store_true", help="take more time for better numbers")
    arguments = parser.parse_args()
    for unknown in set(arguments.parts) - set(parts):
        parser.error(f"there is no part {unknown}; there are {', '.join(parts)}")
    print(f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}\n", flush=True)
    done = [_run(part, arguments.full) for part in arguments.parts or parts]
    return 0 if all(done) else 1


def _parts() -> list[str]:
    modules = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in modules if ENTRY in path.read_text())


def _run(part: str, full: bool) -> bool:
    """Run a part and say how long it took; return whether it could run."""
    began = time.monotonic()
    try:
        importlib.import_module(f"bench.{part}").run(full)
    except (Exception, SystemExit):  # the others may be able to
        traceback.print_exc()
        print(f"\n**{part} could not run.**\n", flush=True)
        return False
    print(f"({part} took {time.monotonic() - began:.0f} s)\n", flush=True)
    return True


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(":")[1].strip() for line in lines if "model name" in line)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores of {next(names, platform.machine())}, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
