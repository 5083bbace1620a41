"""Runs parts of the bench and prints their results: `python -m bench [PART ...] [--full]`."""

import argparse
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

RUN = "\ndef run(full: bool) -> None:\n"


def main() -> int:
    """Run the given parts, by default all; return 1 if one failed."""
    parts = part_names()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the daemon.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--full", action="store_true", help="take more time for better numbers")
    arguments = parser.parse_args()
    for unknown in set(arguments.parts) - set(parts):
        parser.error(f"there is no part {unknown}; there are {', '.join(parts)}")
    print(f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}\n", flush=True)
    done = [_run(name, arguments.full) for name in arguments.parts or parts]
    return 0 if all(done) else 1


def part_names() -> list[str]:
    """Return the names of all parts, sorted: the modules with a function `run`."""
    modules = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in modules if RUN in path.read_text())


def _run(name: str, full: bool) -> bool:
    """Run a part in a process of its own, with its own peak memory; return whether it succeeded."""
    began = time.monotonic()
    script = f"from bench.{name} import run; run({full})"
    if subprocess.run([sys.executable, "-c", script], check=False).returncode != 0:
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
