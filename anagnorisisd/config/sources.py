"""Settings: single values of the configuration with the place each was read from.

A later setting of the same key replaces an earlier one, so each place only yields its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from anagnorisisd.config.schema import Config

Key = tuple[str, ...]
"""Names from the section inwards: `("picks", "ahead")`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value as it was given.

    `where` leads every message about it: `config.yaml:12:5`, a variable's or a flag's name.
    Relative paths count from `folder`.
    """

    key: Key
    value: object
    where: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the configuration, and where."""

    where: str
    message: str

    def __str__(self) -> str:
        # Keys and values may hold anything: it stays on a line, and does nothing to a terminal.
        return _escaped(f"{self.where}: {self.message}")


def _escaped(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def dotted(key: Key) -> str:
    """Return the name that people read: `picks.ahead`."""
    return ".".join(key)


def subsection(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the section behind a field, or `None` where the field holds a value."""
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ())) if field else ()
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def fields(section: type[BaseModel] = Config, prefix: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every key of the schema, sections flattened, with its field."""
    for name, field in section.model_fields.items():
        inner = subsection(field)
        if inner is None:
            yield (*prefix, name), field
        else:
            yield from fields(inner, (*prefix, name))


def nested(settings: Mapping[Key, object]) -> dict[str, Any]:
    """Return flat settings as the tree of sections that the schema validates."""
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        branch = tree
        for name in key[:-1]:
            branch = branch.setdefault(name, {})
        branch[key[-1]] = value
    return tree
