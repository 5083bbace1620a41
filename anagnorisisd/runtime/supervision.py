"""Supervision of the daemon's services: one that fails is restarted, the others continue."""

import logging
from collections.abc import Awaitable, Callable, Iterator

from anagnorisisd.clock import Clock
from anagnorisisd.errors import AnagnorisisError

log = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 60.0
HEALTHY_SECONDS = 300.0
"""After running this long, the next failure counts as the first."""


async def keep_running(name: str, service: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `service` until it returns or is cancelled; restart it when it raises an exception.

    The delay before a restart doubles from one second to a minute. An exception that repeats is
    logged once; one that is not an `AnagnorisisError` is logged with its traceback.
    """
    delay = FIRST_DELAY_SECONDS
    logged = ""
    while True:
        started = clock.monotonic()
        try:
            await service()
        except Exception as error:
            if clock.monotonic() - started >= HEALTHY_SECONDS:
                delay, logged = FIRST_DELAY_SECONDS, ""
            causes = list(_causes(error))
            reason = "; ".join(dict.fromkeys(map(str, causes)))
            if reason != logged:
                logged = reason
                expected = all(isinstance(cause, AnagnorisisError) for cause in causes)
                log.error("%s failed and is restarted: %s", name, reason, exc_info=not expected)
        else:
            return
        await clock.sleep(delay)
        delay = min(MAX_DELAY_SECONDS, delay * 2)


def _causes(error: Exception) -> Iterator[Exception]:
    """Yield the exceptions of nested groups, as task groups raise them."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield error
