"""Settings from YAML files, each with its line and column."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from anagnorisisd.config.schema import Config
from anagnorisisd.config.settings import Key, Problem, Setting, dotted, subsection
from anagnorisisd.config.wording import nearest_key


def read(path: Path, shown: str) -> Iterator[Setting | Problem]:
    """Yield every setting of the file at `path`, and a problem for what is none.

    `shown` is how messages name the file.
    """
    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        yield Problem(shown, f"cannot be read: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError as error:
        yield Problem(shown, f"is not UTF-8 text: byte {error.start} cannot be decoded")
    except MarkedYAMLError as error:
        mark = error.problem_mark
        yield Problem(
            f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown,
            f"not valid YAML: {_first_line(error.problem or str(error))}",
        )
    except YAMLError as error:
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
