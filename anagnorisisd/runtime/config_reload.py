"""Reloading the configuration: which changes apply at once, and which need a restart."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

from pydantic import BaseModel

from anagnorisisd.config.messages import format_value
from anagnorisisd.config.schema import Config, is_live
from anagnorisisd.config.settings import Key, dotted, fields, subsection
from anagnorisisd.errors import ConfigError
from anagnorisisd.runtime import log_setup

log = logging.getLogger(__name__)

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Change:
    """A key with a new value; `live` if the value applies without a restart."""

    key: Key
    value: object
    live: bool

    def __str__(self) -> str:
        return f"{dotted(self.key)} = {format_value(self.value)}"


class ConfigReloader:
    """Holds the configuration in use; `read` reads it again from all sources.

    Keys that only a restart can apply keep their values until then, so that all services use the
    same values.
    """

    def __init__(self, config: Config, read: Callable[[], Config]) -> None:
        self.config = config
        self._read = read

    async def reload(self, reconfigure: Callable[[Config], None]) -> str:
        """Read the configuration, hand what applies at once to `reconfigure`, and log the rest.

        One that cannot be used changes nothing, and each of its problems is logged. Returns what
        came of it, in a line.
        """
        try:
            wanted = await asyncio.to_thread(self._read)
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem)
            return _logged(logging.ERROR, "the new configuration cannot be used, the old one stays")
        changed = list(changed_keys(self.config, wanted))
        self.config = with_live_values(self.config, wanted)
        log_setup.set_level(self.config.log)
        reconfigure(self.config)
        return _describe(changed)


def _describe(changed: list[Change]) -> str:
    applied = ", ".join(str(change) for change in changed if change.live)
    pending = ", ".join(str(change) for change in changed if not change.live)
    text = f"the configuration was read again, {f'now {applied}' if applied else 'with no effect'}"
    if pending:
        return _logged(logging.WARNING, f"{text}; only a restart applies {pending}")
    return _logged(logging.INFO, text)


def _logged(level: int, text: str) -> str:
    log.log(level, "%s", text)
    return text


def changed_keys(in_force: Config, wanted: Config) -> Iterator[Change]:
    """Yield every key in which `wanted` differs, in the order of the schema."""
    for key, field in fields():
        value = attrgetter(dotted(key))
        if value(in_force) != value(wanted):
            yield Change(key, value(wanted), is_live(field))


def with_live_values(in_force: Part, wanted: Part) -> Part:
    """Return `in_force` with the values of `wanted` for the keys that apply without a restart."""
    taken: dict[str, object] = {}
    for name, field in type(in_force).model_fields.items():
        if subsection(field):
            taken[name] = with_live_values(getattr(in_force, name), getattr(wanted, name))
        elif is_live(field):
            taken[name] = getattr(wanted, name)
    return in_force.model_copy(update=taken)
