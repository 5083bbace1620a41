"""The daemon, for a player that plays faster than life.

`python -m tests.support.fast_daemon RATE ARGUMENTS` is `anagnorisisd ARGUMENTS`, but that plays are
judged knowing that RATE seconds of music pass in one second, and that the evaluator's worker leaves
sooner.
"""

import sys
from functools import partial

from anagnorisisd import __main__, assembly
from anagnorisisd.services.listening import Listening


def main() -> int:
    """Run the daemon."""
    rate, *arguments = sys.argv[1:]
    vars(assembly)["EVALUATOR_IDLE_SECONDS"] = 3.0
    vars(assembly)["Listening"] = partial(Listening, rate=float(rate))
    return __main__.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
