"""The daemon, for a player that plays faster than life.

`python -m tests.support.fast_daemon RATE ARGUMENTS` is `anagnorisisd ARGUMENTS`, but that plays are
judged knowing that RATE seconds of music pass in one second, that the evaluator's worker leaves
sooner, and that what failed is tried again sooner.
"""

import sys
from functools import partial

from anagnorisisd import cli, services
from anagnorisisd.listening import player_monitor
from anagnorisisd.listening.service import PlayService


def main() -> int:
    """Run the daemon."""
    rate, *arguments = sys.argv[1:]
    vars(services)["EVALUATOR_IDLE_SECONDS"] = 3.0
    vars(player_monitor)["RETRY_SECONDS"] = 0.2
    vars(services)["PlayService"] = partial(PlayService, rate=float(rate))
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
