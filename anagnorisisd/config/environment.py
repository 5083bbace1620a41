"""Read settings from environment variables such as `ANAGNORISIS_PICKS__AHEAD=5`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo
from ruamel.yaml.error import YAMLError

from anagnorisisd.config import yaml_file
from anagnorisisd.config.messages import suggest_key
from anagnorisisd.config.settings import Key, Problem, Setting, dotted, fields, value_type

PREFIX = "ANAGNORISIS_"
SEPARATOR = "__"


def read(environment: Mapping[str, str]) -> Iterator[Setting | Problem]:
    """Yield the settings among the environment variables, and a problem for each unknown key.

    Variables without a double underscore are not settings: the client reads `ANAGNORISIS_SOCKET`.
    """
    known = dict(fields())
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and SEPARATOR in name:
            key = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
            if key in known:
                yield Setting(key, value(text, known[key]), name, Path.cwd())
            else:
                yield Problem(name, f"{dotted(key)}: unknown key{suggest_key(key)}")


def variable(key: Key) -> str:
    """Return the name of the variable that sets `key`."""
    return PREFIX + SEPARATOR.join(key).upper()


def value(text: str, field: FieldInfo) -> object:
    """Return `text` unchanged for a field of type text, path or enum; parse it as YAML otherwise.

    A `#` or `:` in a path thus has no special meaning, and numbers and lists are read as in a file.
    """
    if issubclass(value_type(field), (str, Path)):
        return text
    try:
        return yaml_file.parse(text)
    except (YAMLError, ValueError):
        return text
