"""A common beat for whatever only looks now and then.

Whoever looks each minute and whoever looks each half minute wake up together when both wait for the
same moments. So while nothing happens all of them wake the computer twice a minute, however many
there are.
"""

import math

BEAT_SECONDS = 30.0
NOW_SECONDS = 1.0
"""A beat that is nearer than this is the one that has just woken us."""


def shortened(now: float, at_most: float) -> float:
    """Return how many seconds to wait until the last beat within `at_most` of `now`.

    `now` is monotonic. Where there is no beat it is `at_most` itself.
    """
    last = math.floor((now + at_most + NOW_SECONDS) / BEAT_SECONDS) * BEAT_SECONDS
    wait = min(last - now, at_most)
    return wait if wait > NOW_SECONDS else at_most
