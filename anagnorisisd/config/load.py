"""Load the configuration from all sources and validate it.

Later sources override earlier ones: the schema's defaults, `/etc/anagnorisis/config.yaml`, the
user's file (or the file of `--config`), environment variables, flags. All problems are reported at
once, each with its source, the value, the allowed values, and the most similar key.
"""

import json
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml.error import YAMLError

from anagnorisisd.config import yaml_file
from anagnorisisd.config.messages import allowed, format_value, suggest_key, suggest_word
from anagnorisisd.config.schema import Config, Executor
from anagnorisisd.config.settings import (
    Key,
    Problem,
    Setting,
    choices,
    dotted,
    fields,
    nested,
    value_type,
)
from anagnorisisd.errors import ConfigError

SYSTEM_FILE = Path("/etc/anagnorisis/config.yaml")

Flags = Mapping[Key, tuple[str, str]]
"""Keys set on the command line, each with the name and the argument of its flag."""

PREFIX = "ANAGNORISIS_"
SEPARATOR = "__"
"""Between section and key: `ANAGNORISIS_PICKS__AHEAD=5`."""


def load(flags: Flags, variables: Mapping[str, str], file: Path | None = None) -> Config:
    """Return the configuration; `file` is read instead of the user's file.

    Raises:
        ConfigError: the configuration is invalid; it has every problem found.
    """
    settings: dict[Key, Setting] = {}
    problems: list[Problem] = []
    for found in _read_all(flags, variables, file):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            settings[found.key] = found
    config = _validated(settings, problems)
    if config is None or problems:
        raise ConfigError([str(problem) for problem in sorted(problems, key=_natural_order)])
    return config


def config_files(file: Path | None = None) -> list[Path]:
    """Return the files to read, in order; `file` is read instead of the user's file."""
    own = platformdirs.user_config_path("anagnorisis") / "config.yaml"
    return [
        *([SYSTEM_FILE] if SYSTEM_FILE.exists() else []),
        *([file] if file else [own] if own.exists() else []),
    ]


def _natural_order(problem: Problem) -> list[str | int]:
    """Sort `config.yaml:9:1` before `config.yaml:10:1`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", problem.where)]


def _read_all(
    flags: Flags, variables: Mapping[str, str], file: Path | None
) -> Iterator[Setting | Problem]:
    for path in config_files(file):
        yield from yaml_file.read(path.expanduser(), str(path))
    yield from read_environment(variables)
    known = dict(fields())
    for key, (flag, text) in flags.items():
        yield Setting(key, text_value(text, known[key]), flag, Path.cwd())


def _validated(settings: Mapping[Key, Setting], problems: list[Problem]) -> Config | None:
    known = dict(fields())
    values = {key: _resolved(setting, known[key]) for key, setting in settings.items()}
    # Through JSON, because strict validation of Python values requires Path and enum objects.
    text = json.dumps(nested(values), default=str)
    try:
        config = Config.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems.extend(_problems(error, settings, known))
        return None
    problems.extend(_paths_with_nul(settings, known))
    problems.extend(_unknown_timezone(config, settings))
    problems.extend(_missing_dask_address(config, settings))
    return config


def _resolved(setting: Setting, field: FieldInfo) -> object:
    """Return the value; a path is made absolute, relative to the directory of its source."""
    if value_type(field) is Path and isinstance(setting.value, str) and setting.value:
        return str(setting.folder / Path(setting.value).expanduser())
    return setting.value


def _problems(
    error: ValidationError, settings: Mapping[Key, Setting], known: Mapping[Key, FieldInfo]
) -> Iterator[Problem]:
    reported: set[Key] = set()
    for detail in error.errors():
        key, setting = _invalid_setting(detail["loc"], settings)
        if key in reported:
            continue
        reported.add(key)
        if setting and key in known:
            message = _invalid_value(setting.value, known[key])
            yield Problem(setting.where, f"{dotted(key)}: {message}")
        else:
            message = detail["msg"].removeprefix("Value error, ")
            yield Problem(
                setting.where if setting else "configuration", f"{dotted(key)}: {message}"
            )


def _invalid_setting(
    location: Sequence[int | str], settings: Mapping[Key, Setting]
) -> tuple[Key, Setting | None]:
    """Return key and setting that pydantic's `location` refers to; for a section, any in it."""
    parts = tuple(str(part) for part in location)
    for length in range(len(parts), 0, -1):
        if parts[:length] in settings:
            return parts[:length], settings[parts[:length]]
    inside = (s for key, s in settings.items() if key[: len(parts)] == parts)
    return parts, next(inside, None)


def _invalid_value(value: Any, field: FieldInfo) -> str:
    if value is None:
        return f"is empty, but should be {allowed(field)}"
    hint = suggest_word(str(value), choices(field))
    return f"{format_value(value)} is not {allowed(field)}{hint}"


def _paths_with_nul(
    settings: Mapping[Key, Setting], known: Mapping[Key, FieldInfo]
) -> Iterator[Problem]:
    for key, setting in settings.items():
        if value_type(known[key]) is Path and "\0" in str(setting.value):
            value = format_value(setting.value)
            yield Problem(setting.where, f"{dotted(key)}: {value} has a NUL character")


def _unknown_timezone(config: Config, settings: Mapping[Key, Setting]) -> Iterator[Problem]:
    key = ("training", "timezone")
    name = config.training.timezone
    if name is None:
        return
    known = zoneinfo.available_timezones()
    if name not in known:
        hint = suggest_word(name, known)
        yield Problem(settings[key].where, f"{dotted(key)}: unknown time zone {name!r}{hint}")


def _missing_dask_address(config: Config, settings: Mapping[Key, Setting]) -> Iterator[Problem]:
    key = ("embedding", "executor")
    if config.embedding.executor is Executor.DASK and config.embedding.dask.address is None:
        yield Problem(
            settings[key].where,
            f"{dotted(key)}: dask needs embedding.dask.address, the address of a running "
            "scheduler, such as tcp://desktop:8786",
        )


def read_environment(environment: Mapping[str, str]) -> Iterator[Setting | Problem]:
    """Yield the settings among the environment variables, and a problem for each unknown key.

    Variables without a double underscore are not settings: the client reads `ANAGNORISIS_SOCKET`.
    """
    known = dict(fields())
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and SEPARATOR in name:
            key = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
            if key in known:
                yield Setting(key, text_value(text, known[key]), name, Path.cwd())
            else:
                yield Problem(name, f"{dotted(key)}: unknown key{suggest_key(key)}")


def environment_variable(key: Key) -> str:
    """Return the name of the variable that sets `key`."""
    return PREFIX + SEPARATOR.join(key).upper()


def text_value(text: str, field: FieldInfo) -> object:
    """Return `text` unchanged for a field of type text, path or enum; parse it as YAML otherwise.

    A `#` or `:` in a path thus has no special meaning, and numbers and lists are read as in a file.
    """
    if issubclass(value_type(field), (str, Path)):
        return text
    try:
        return yaml_file.parse(text)
    except (YAMLError, ValueError):
        return text
