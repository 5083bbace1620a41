"""The command line `anagnorisis`: words to a verb, a verb to an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from anagnorisis.failure import Failed
from anagnorisis.leaving import leave
from anagnorisis.parser import build

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was typed and return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    parsed = build(words[0] if words else "").parse_args(words)
    module, function = parsed.run.split(":")
    # Whatever a tag holds, a terminal that cannot show it must not end the program.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        getattr(importlib.import_module(f"anagnorisis.commands.{module}"), function)(parsed)
        sys.stdout.flush()
    except Failed as failure:
        print(f"anagnorisis: {failure}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run() -> NoReturn:
    """Be the program `anagnorisis`."""
    leave(main())


if __name__ == "__main__":
    run()
