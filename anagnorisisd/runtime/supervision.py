"""Keeping the parts of the daemon alive: a failing one is started again, the others go on."""

import logging
from collections.abc import Awaitable, Callable, Iterator

from anagnorisisd.clock import Clock
from anagnorisisd.errors import AnagnorisisError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
HEALTHY_SECONDS = 300.0
"""A part that ran this long is taken to be well again; its next failure starts anew."""


async def keep_running(name: str, life: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `life` until it ends by itself or is cancelled; start it again whenever it fails.

    The pause between two starts doubles from one second to a minute. The same failure is said
    once, not at every try; an error that the daemon did not raise on purpose comes with its
    traceback.
    """
    pause = FIRST_PAUSE_SECONDS
    said = ""
    while True:
        started = clock.monotonic()
        try:
            await life()
        except Exception as error:
            if clock.monotonic() - started >= HEALTHY_SECONDS:
                pause, said = FIRST_PAUSE_SECONDS, ""
            causes = list(_causes(error))
            reason = "; ".join(dict.fromkeys(map(str, causes)))
            if reason != said:
                said = reason
                expected = all(isinstance(cause, AnagnorisisError) for cause in causes)
                log.error("%s failed and is restarted: %s", name, reason, exc_info=not expected)
        else:
            return
        await clock.sleep(pause)
        pause = min(LONGEST_PAUSE_SECONDS, pause * 2)


def _causes(error: Exception) -> Iterator[Exception]:
    """Yield what really went wrong: a part made of several tasks fails with a group of errors."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield error
