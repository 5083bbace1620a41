"""Read settings from a YAML file, each with its line and column.

A file of any content is read in bounded time and memory.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    ScalarEvent,
)

from anagnorisisd.config.messages import suggest_key
from anagnorisisd.config.schema import Config
from anagnorisisd.config.settings import Key, Problem, Setting, dotted, subsection

MAX_BYTES = 1 << 18  # ten times the size of the documented config.yaml
MAX_NODES = 10_000
MAX_ALIASES = 100
MAX_DEPTH = 20  # of nested collections; the schema has three levels
MAX_NUMBER_LENGTH = 64  # in characters; Python refuses to parse integers of 5,000 digits


class TooLarge(ValueError):
    """The file exceeds a limit on size, nesting or digits, or is not a regular file."""


def parse(text: str) -> object:
    """Parse YAML, in bounded time for any text.

    Raises:
        TooLarge: the text exceeds a limit, or has nested aliases.
        ValueError: the text is not valid YAML.
    """
    _check_size(text)
    try:
        return YAML(typ="rt").load(text)
    except (YAMLError, TooLarge):
        raise
    except Exception as error:  # of other types too, for a date with month 99, say
        raise ValueError(str(error) or type(error).__name__) from error


def _check_size(text: str) -> None:
    """Check the limits on the parser's events, before any object is built."""
    anchored: list[bool] = []
    aliases = 0
    for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        if isinstance(event, CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, CollectionEndEvent):
            anchored.pop()
        elif isinstance(event, AliasEvent):
            aliases += 1
            # Aliases within anchored collections grow exponentially ("billion laughs").
            if any(anchored) or aliases > MAX_ALIASES:
                raise TooLarge(f"has nested or too many aliases (*{event.anchor})")
        elif isinstance(event, ScalarEvent) and event.implicit[0] and _is_long_number(event.value):
            raise TooLarge(f"has a number of more than {MAX_NUMBER_LENGTH} digits")
        if len(anchored) > MAX_DEPTH or count > MAX_NODES:
            raise TooLarge(f"has more than {MAX_DEPTH} levels or {MAX_NODES:,} nodes")


def _is_long_number(value: str) -> bool:
    return len(value) > MAX_NUMBER_LENGTH and value[:1] in "+-0123456789."


def _read_text(path: Path) -> str:
    """Return the text of a regular file; reading a FIFO or a device could block forever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TooLarge("is not a regular file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise TooLarge(f"has more than {MAX_BYTES} bytes")
    return content.decode()


def read(path: Path, shown: str) -> Iterator[Setting | Problem]:
    """Yield every setting of the file at `path`, and a problem for each invalid entry.

    Messages name the file as `shown`.
    """
    try:
        text = _read_text(path)
        tree = parse(text)
    except OSError as error:
        yield Problem(shown, f"cannot be read: {(error.strerror or str(error)).lower()}")
    except TooLarge as error:
        yield Problem(shown, str(error))
    except UnicodeDecodeError as error:
        yield Problem(shown, f"is not UTF-8 text: byte {error.start} cannot be decoded")
    except MarkedYAMLError as error:
        mark = error.problem_mark
        yield Problem(
            f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown,
            f"not valid YAML: {_first_line(error.problem or str(error))}",
        )
    except (YAMLError, ValueError) as error:
        yield Problem(shown, f"not valid YAML: {_first_line(str(error))}")
    else:
        if isinstance(tree, CommentedMap):
            yield from _settings(tree, Config, (), shown, path.absolute().parent)
        elif tree is not None:
            yield Problem(f"{shown}:1:1", "expected sections such as `music:`")


def _settings(
    tree: CommentedMap, section: type[BaseModel], prefix: Key, shown: str, folder: Path
) -> Iterator[Setting | Problem]:
    for name, value in tree.items():
        key = (*prefix, str(name))
        field = section.model_fields.get(str(name))
        inner = subsection(field)
        if field is None:
            yield Problem(
                _place(shown, tree, name), f"{dotted(key)}: unknown key{suggest_key(key)}"
            )
        elif inner is None:
            yield Setting(key, value, _place(shown, tree, name, of_value=value is not None), folder)
        elif isinstance(value, CommentedMap):
            yield from _settings(value, inner, key, shown, folder)
        elif value is not None:
            yield Problem(
                _place(shown, tree, name, of_value=True),
                f"{dotted(key)}: expected a section with keys, found {value!r}",
            )


def _place(shown: str, tree: CommentedMap, name: object, *, of_value: bool = False) -> str:
    # A key from a YAML merge (`<<`) has no position; use that of its section.
    line, column = tree.lc.line, tree.lc.col
    if name in tree.lc.data:
        line, column = tree.lc.data[name][2:4] if of_value else tree.lc.data[name][0:2]
    return f"{shown}:{line + 1}:{column + 1}"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
