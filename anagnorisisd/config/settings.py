"""Settings, each a configured value with its source, and iteration over the keys of the schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from anagnorisisd.config.schema import Config

Key = tuple[str, ...]
"""Section, subsections and name: `("picks", "ahead")`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as it was given, before validation.

    `where` is its source, as messages show it: `config.yaml:12:5`, or the name of a variable or a
    flag. Relative paths are resolved against `folder`.
    """

    key: Key
    value: object
    where: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in the configuration, with its source."""

    where: str
    message: str

    def __str__(self) -> str:
        # Keys and values may contain line breaks and terminal escape sequences.
        return _escaped(f"{self.where}: {self.message}")


def _escaped(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def dotted(key: Key) -> str:
    """Return a key as users write it: `picks.ahead`."""
    return ".".join(key)


def subsection(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the type of the section in a field, or `None` if the field is a value."""
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ())) if field else ()
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def fields(section: type[BaseModel] = Config, prefix: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every key of the schema with its field, depth first."""
    for name, field in section.model_fields.items():
        inner = subsection(field)
        if inner is None:
            yield (*prefix, name), field
        else:
            yield from fields(inner, (*prefix, name))


def value_type(field: FieldInfo) -> type:
    """Return the type of a field's value: `int` for `int | None`, `tuple` for any list."""
    kind = without_none(field.annotation)
    found: type = get_origin(kind) or kind
    return found


def choices(field: FieldInfo) -> list[str]:
    """Return the values of an enum field; an empty list for others."""
    kind = without_none(field.annotation)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [member.value for member in kind]
    return []


def without_none(annotation: Any) -> Any:
    """Return `T` for an annotation `T | None`."""
    if get_origin(annotation) in {Union, UnionType}:
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def nested(settings: Mapping[Key, object]) -> dict[str, Any]:
    """Return settings with flat keys as nested dictionaries."""
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        branch = tree
        for name in key[:-1]:
            branch = branch.setdefault(name, {})
        branch[key[-1]] = value
    return tree
