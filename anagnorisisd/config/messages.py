"""Wording of error messages and documentation: allowed values, and the most similar key."""

import difflib
import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from anagnorisisd.config.schema import LOOPBACK, PREFIX, PUBLISHED, SCHEDULER, TIME_OF_DAY
from anagnorisisd.config.settings import Key, dotted, fields, without_none

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
        'a loopback address with a port such as "127.0.0.1:9680" (metrics are served without'
        " authentication)"
    ),
    SCHEDULER: "an address such as tcp://desktop:8786",
    PREFIX: "text of 1 to 60 characters without a slash",
    PUBLISHED: (
        "Favourites, Promising, Forgotten, To rate, New or a tag such as Tag jazz, and a length of"
        " 1 to 9999 if wanted"
    ),
}


def allowed(field: FieldInfo) -> str:
    """Describe the allowed values: `a whole number from 0 to 100`, `one of inotify, poll, off`."""
    return _pattern(field.metadata) or _kind(field.annotation) + _range(field)


def suggest_word(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean X?` for the most similar word, or an empty string."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def suggest_key(key: Key) -> str:
    """Return `; did you mean X?` for a similar key of the section, or one of the same name."""
    known = [known for known, _ in fields()]
    if len(key) == 1:
        return suggest_word(key[0], sorted({other[0] for other in known}))
    here = {other[-1]: other for other in known if other[:-1] == key[:-1]}
    for close in difflib.get_close_matches(key[-1], here, n=1):
        return f"; did you mean {dotted(here[close])}?"
    elsewhere = (other for other in known if other[-1] == key[-1])
    return next((f"; did you mean {dotted(other)}?" for other in elsewhere), "")


def format_value(value: object) -> str:
    """Return a value as written in a file, at most 60 characters of it."""
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pattern(metadata: Iterable[object]) -> str:
    for bound in metadata:
        pattern = getattr(bound, "pattern", None)
        if pattern:
            return PATTERNS.get(pattern, f"text matching {pattern}")
    return ""


def _kind(annotation: Any) -> str:
    kind = without_none(annotation)
    if get_origin(kind) is Annotated:
        text, field = get_args(kind)[:2]
        return _pattern(field.metadata) or _kind(text)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"one of {', '.join(member.value for member in kind)}"
    if get_origin(kind) is tuple:
        return f"a list, each {_kind(get_args(kind)[0])}"
    return KINDS[kind]


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
