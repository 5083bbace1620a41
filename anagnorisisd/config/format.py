"""What the schema allows, in words; used in messages and compared with `config.yaml`."""

import difflib
import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from anagnorisisd.config.schema import LOOPBACK, SCHEDULER, TIME_OF_DAY
from anagnorisisd.config.sources import Key, dotted, fields

KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}
PATTERNS = {
    TIME_OF_DAY: 'a time of day such as "03:30"',
    LOOPBACK: (
        'a loopback address with a port such as "127.0.0.1:9680" (who may fetch numbers is not'
        " checked, so nobody else may get there)"
    ),
    SCHEDULER: "an address such as tcp://desktop:8786",
}


def allowed(field: FieldInfo) -> str:
    """Return what a field takes: `a whole number from 0 to 100`, `one of inotify, poll, off`."""
    for bound in field.metadata:
        pattern = getattr(bound, "pattern", None)
        if pattern:
            return PATTERNS.get(pattern, f"text matching {pattern}")
    return _kind(field.annotation) + _range(field)


def value_type(field: FieldInfo) -> type:
    """Return the type of a field's value: `int` for `int | None`, `tuple` for any list."""
    kind = _without_none(field.annotation)
    found: type = get_origin(kind) or kind
    return found


def choices(field: FieldInfo) -> list[str]:
    """Return the values of a field that takes one of a few words, else nothing."""
    kind = _without_none(field.annotation)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [member.value for member in kind]
    return []


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a hint at the most similar word, with a leading `; `; empty where none is near."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def nearest_key(key: Key) -> str:
    """Return a hint at the key that was probably meant: in its section, or of the same name."""
    known = [known for known, _ in fields()]
    if len(key) == 1:
        return nearest(key[0], sorted({other[0] for other in known}))
    here = {other[-1]: other for other in known if other[:-1] == key[:-1]}
    for close in difflib.get_close_matches(key[-1], here, n=1):
        return f"; did you mean {dotted(here[close])}?"
    elsewhere = (other for other in known if other[-1] == key[-1])
    return next((f"; did you mean {dotted(other)}?" for other in elsewhere), "")


def shown(value: object) -> str:
    """Return a value as it would stand in a file, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _kind(annotation: Any) -> str:
    kind = _without_none(annotation)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"one of {', '.join(member.value for member in kind)}"
    if get_origin(kind) is tuple:
        return f"a list, each {_kind(get_args(kind)[0])}"
    return KINDS[kind]


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, UnionType}:
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _range(field: FieldInfo) -> str:
    bounds = {
        name: getattr(bound, name)
        for bound in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(bound, name, None) is not None
    }
    low, high = bounds.get("ge"), bounds.get("le")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    parts = [f"{word} {bounds[name]:g}" for name, word in words.items() if name in bounds]
    return f" {' and '.join(parts)}" if parts else ""
