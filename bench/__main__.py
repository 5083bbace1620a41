"""Runs parts of the bench and prints them as one page: `python -m bench [PART ...] [--full]`."""

import argparse
import multiprocessing
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import part


def main() -> int:
    """Run the parts named on the command line, all of them by default; 1 if one could not run."""
    parts = part.names()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the daemon.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--full", action="store_true", help="take more time for better numbers")
    arguments = parser.parse_args()
    for unknown in set(arguments.parts) - set(parts):
        parser.error(f"there is no part {unknown}; there are {', '.join(parts)}")
    print(f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}\n", flush=True)
    done = [_run(name, arguments.full) for name in arguments.parts or parts]
    return 0 if all(done) else 1


def _run(name: str, full: bool) -> bool:
    """Run a part and say how long it took; return whether it could run.

    In a process of its own: peaks of memory are those of one part, and one that dies takes no
    other along.
    """
    began = time.monotonic()
    process = multiprocessing.get_context("spawn").Process(target=part.measure, args=(name, full))
    process.start()
    process.join()
    if process.exitcode != 0:
        print(f"\n**{name} could not run.**\n", flush=True)
        return False
    print(f"({name} took {time.monotonic() - began:.0f} s)\n", flush=True)
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
