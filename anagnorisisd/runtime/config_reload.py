"""Reloading the configuration while the daemon runs."""

import asyncio
import logging
from collections.abc import Callable

from anagnorisisd.config import diff
from anagnorisisd.config.schema import Config
from anagnorisisd.errors import ConfigError
from anagnorisisd.runtime import log_setup

log = logging.getLogger(__name__)


class ConfigReloader:
    """Holds the configuration in use; `read` reads it again from all sources.

    Keys that only a restart can apply keep their values until then, so that all services use the
    same values.
    """

    def __init__(self, config: Config, read: Callable[[], Config]) -> None:
        self.config = config
        self._read = read

    async def again(self, reconfigure: Callable[[Config], None]) -> str:
        """Read the configuration, hand what applies at once to `reconfigure`, and log the rest.

        One that cannot be used changes nothing, and each of its problems is logged. Returns what
        came of it, in a line.
        """
        try:
            wanted = await asyncio.to_thread(self._read)
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem)
            return _said(logging.ERROR, "the new configuration cannot be used, the old one stays")
        changed = list(diff.between(self.config, wanted))
        self.config = diff.with_live(self.config, wanted)
        log_setup.set_level(self.config.log)
        reconfigure(self.config)
        return _told(changed)


def _told(changed: list[diff.Change]) -> str:
    applied = ", ".join(str(change) for change in changed if change.live)
    pending = ", ".join(str(change) for change in changed if not change.live)
    said = f"the configuration was read again, {f'now {applied}' if applied else 'with no effect'}"
    if pending:
        return _said(logging.WARNING, f"{said}; only a restart applies {pending}")
    return _said(logging.INFO, said)


def _said(level: int, text: str) -> str:
    log.log(level, "%s", text)
    return text
