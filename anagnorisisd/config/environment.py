"""Read settings from environment variables such as `ANAGNORISIS_PICKS__AHEAD=5`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo
from ruamel.yaml.error import YAMLError

from anagnorisisd.config.files import load
from anagnorisisd.config.format import nearest_key, value_type
from anagnorisisd.config.sources import Key, Problem, Setting, dotted, fields

PREFIX = "ANAGNORISIS_"
SEPARATOR = "__"


def read(environment: Mapping[str, str]) -> Iterator[Setting | Problem]:
    """Yield the settings among the variables.

    Variables without a double underscore belong to others: the client has `ANAGNORISIS_SOCKET`.
    """
    known = dict(fields())
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and SEPARATOR in name:
            key = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
            if key in known:
                yield Setting(key, value(text, known[key]), name, Path.cwd())
            else:
                yield Problem(name, f"{dotted(key)}: unknown key{nearest_key(key)}")


def variable(key: Key) -> str:
    """Return the name of the variable that sets `key`."""
    return PREFIX + SEPARATOR.join(key).upper()


def value(text: str, field: FieldInfo) -> object:
    """Return `text` itself for a field of text, a path or a choice, else as YAML reads it.

    So `#` or `:` in a path mean nothing, while numbers and lists are read as in a file.
    """
    if issubclass(value_type(field), (str, Path)):
        return text
    try:
        return load(text)
    except (YAMLError, ValueError):
        return text
