"""Entry point of the command `anagnorisis`."""

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from anagnorisis.errors import FAILURE, Failed, one_line
from anagnorisis.parser import build
from anagnorisis.process import exit_fast, open_standard_files

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    open_standard_files()
    argv = sys.argv[1:] if arguments is None else arguments
    parsed = build(argv[0] if argv else "").parse_args(argv)
    module, function = parsed.run.split(":")
    try:
        getattr(importlib.import_module(f"anagnorisis.commands.{module}"), function)(parsed)
        sys.stdout.flush()
    except Failed as failure:
        return _print_error(str(failure), failure.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has closed the pipe; the flush at exit would fail again.
        _discard_output()
    except OSError as error:
        _discard_output()
        return _print_error(f"the answer cannot be written: {error.strerror}", FAILURE)
    return 0


def _print_error(message: str, exit_code: int) -> int:
    with suppress(OSError):
        print(f"anagnorisis: {one_line(message)}", file=sys.stderr, flush=True)
    return exit_code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Run the command `anagnorisis` and exit."""
    exit_fast(main())


if __name__ == "__main__":
    run()
