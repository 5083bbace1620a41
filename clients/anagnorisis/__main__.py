"""The command line `anagnorisis`: words to a verb, a verb to an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from anagnorisis.errors import FAILURE, Failed, one_line
from anagnorisis.parser import build
from anagnorisis.process import leave, open_standard_files

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was typed and return the exit code."""
    open_standard_files()
    words = sys.argv[1:] if arguments is None else arguments
    parsed = build(words[0] if words else "").parse_args(words)
    module, function = parsed.run.split(":")
    try:
        getattr(importlib.import_module(f"anagnorisis.commands.{module}"), function)(parsed)
        sys.stdout.flush()
    except Failed as failure:
        return _refused(str(failure), failure.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough; Python would complain once more at exit.
        _drop_output()
    except OSError as error:
        _drop_output()
        return _refused(f"the answer cannot be written: {error.strerror}", FAILURE)
    return 0


def _refused(message: str, exit_code: int) -> int:
    with suppress(OSError):
        print(f"anagnorisis: {one_line(message)}", file=sys.stderr, flush=True)
    return exit_code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Be the program `anagnorisis`."""
    leave(main())


if __name__ == "__main__":
    run()
