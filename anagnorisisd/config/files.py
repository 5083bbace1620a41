"""Settings from YAML files, each with its line and column."""

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

from anagnorisisd.config.format import nearest_key
from anagnorisisd.config.schema import Config
from anagnorisisd.config.sources import Key, Problem, Setting, dotted, subsection

LARGEST_BYTES = 1 << 18
"""The example, with every key explained, has a tenth of that."""

MOST_NODES = 10_000
MOST_ALIASES = 100
DEEPEST = 20
"""Collections within each other; the schema has three."""

LONGEST_NUMBER = 64
"""Characters of a plain scalar that may be a number; Python refuses to read 5,000 digits."""


class TooLarge(ValueError):
    """More text, nesting or digits than a configuration can need."""


def load(text: str) -> object:
    """Return what YAML text says, in bounded time, for any text.

    Raises:
        TooLarge: it is larger or deeper than any configuration, or refers to parts of itself.
        ValueError: it is not YAML.
    """
    _check_size(text)
    try:
        return YAML(typ="rt").load(text)
    except (YAMLError, TooLarge):
        raise
    except Exception as error:  # such as a date of month 99, which the library lets through
        raise ValueError(str(error) or type(error).__name__) from error


def _check_size(text: str) -> None:
    """Look at the events of the parser, which build nothing, before anything is built."""
    anchored: list[bool] = []
    aliases = 0
    for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        if isinstance(event, CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, CollectionEndEvent):
            anchored.pop()
        elif isinstance(event, AliasEvent):
            aliases += 1
            # Within what others can refer to, each level would multiply the one before.
            if any(anchored) or aliases > MOST_ALIASES:
                raise TooLarge(f"refers to its own parts too deeply or too often (*{event.anchor})")
        elif isinstance(event, ScalarEvent) and event.implicit[0] and _is_long(event.value):
            raise TooLarge(f"has a number of more than {LONGEST_NUMBER} digits")
        if len(anchored) > DEEPEST or count > MOST_NODES:
            raise TooLarge("is nested more deeply, or has more in it, than any configuration")


def _is_long(value: str) -> bool:
    return len(value) > LONGEST_NUMBER and value[:1] in "+-0123456789."


def _text(path: Path) -> str:
    """Return the text of a regular file; a FIFO or a device would block, or have no end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TooLarge("is not a regular file")
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise TooLarge(f"has more than {LARGEST_BYTES} bytes")
    return content.decode()


def read(path: Path, shown: str) -> Iterator[Setting | Problem]:
    """Yield every setting of the file at `path`, and a problem for what is none.

    `shown` is how messages name the file.
    """
    try:
        text = _text(path)
        tree = load(text)
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
                _place(shown, tree, name), f"{dotted(key)}: unknown key{nearest_key(key)}"
            )
        elif inner is None:
            yield Setting(key, value, _place(shown, tree, name, of_value=value is not None), folder)
        elif isinstance(value, CommentedMap):
            yield from _settings(value, inner, key, shown, folder)
        elif value is not None:
            yield Problem(
                _place(shown, tree, name, of_value=True),
                f"{dotted(key)}: {value!r} is not a section with keys of its own",
            )


def _place(shown: str, tree: CommentedMap, name: object, *, of_value: bool = False) -> str:
    # A key that came in through a merge (`<<`) has no place of its own: that of its section.
    line, column = tree.lc.line, tree.lc.col
    if name in tree.lc.data:
        line, column = tree.lc.data[name][2:4] if of_value else tree.lc.data[name][0:2]
    return f"{shown}:{line + 1}:{column + 1}"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
