"""Compare two configurations: which changes apply at once, and which need a restart."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

from pydantic import BaseModel

from anagnorisisd.config.messages import format_value
from anagnorisisd.config.schema import Config, is_live
from anagnorisisd.config.settings import Key, dotted, fields, subsection

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Change:
    """A key with a new value; `live` if the value applies without a restart."""

    key: Key
    value: object
    live: bool

    def __str__(self) -> str:
        return f"{dotted(self.key)} = {format_value(self.value)}"


def between(in_force: Config, wanted: Config) -> Iterator[Change]:
    """Yield every key in which `wanted` differs, in the order of the schema."""
    for key, field in fields():
        value = attrgetter(dotted(key))
        if value(in_force) != value(wanted):
            yield Change(key, value(wanted), is_live(field))


def with_live(in_force: Part, wanted: Part) -> Part:
    """Return `in_force` with the values of `wanted` for the keys that apply without a restart."""
    taken: dict[str, object] = {}
    for name, field in type(in_force).model_fields.items():
        if subsection(field):
            taken[name] = with_live(getattr(in_force, name), getattr(wanted, name))
        elif is_live(field):
            taken[name] = getattr(wanted, name)
    return in_force.model_copy(update=taken)
