"""How the tools speak: a line per step, and one line with cause and remedy when they give up."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

TICK_SECONDS = 1.0


class GiveUp(Exception):
    """The work cannot go on; the text is one line with the cause and the remedy."""


def guarded(work: Callable[[], int | None]) -> NoReturn:
    """Run the main function of a tool and leave with its exit code."""
    try:
        code = work()
    except GiveUp as error:
        print(error, file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def step(
    label: str, command: Sequence[str], log: Path, variables: Mapping[str, str] | None = None
) -> bool:
    """Run a command that takes a while, its output going to `log`; tell whether it succeeded.

    On a terminal the seconds are counted; elsewhere only the label and the time taken are shown.
    """
    started = time.monotonic()
    live = sys.stdout.isatty()
    print(f"{label} ...", end="", flush=True)
    with log.open("a") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        process = subprocess.Popen(command, stdout=output, stderr=output, env=variables)
        while True:
            try:
                code = process.wait(TICK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if live:
                    seconds = time.monotonic() - started
                    print(f"\r{label} ... {seconds:.0f} s", end="", flush=True)
    ending = "done" if code == 0 else "failed"
    start = f"\r{label} ..." if live else ""
    say(f"{start} {ending} after {time.monotonic() - started:.0f} s")
    return code == 0
