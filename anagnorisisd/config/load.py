"""From every place to one validated configuration.

Later places win: the schema's defaults, `/etc/anagnorisis/config.yaml`, the listener's own file
(or the one named on the command line), environment variables, flags. All problems are reported
at once, each with its place, the value, what is allowed, and the nearest right name.
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

from anagnorisisd.config import environment, files
from anagnorisisd.config.format import allowed, choices, nearest, shown, value_type
from anagnorisisd.config.schema import Config, Executor
from anagnorisisd.config.sources import Key, Problem, Setting, dotted, fields, nested
from anagnorisisd.errors import ConfigError

SYSTEM_FILE = Path("/etc/anagnorisis/config.yaml")

Flags = Mapping[Key, tuple[str, str]]
"""What the command line sets: for each key the flag's name and the text given to it."""


def load(flags: Flags, variables: Mapping[str, str], file: Path | None = None) -> Config:
    """Return the configuration; `file` stands in for the listener's own.

    Raises:
        ConfigError: something cannot be used; it carries every problem.
    """
    settings: dict[Key, Setting] = {}
    problems: list[Problem] = []
    for found in _everything(flags, variables, file):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            settings[found.key] = found
    config = _validated(settings, problems)
    if config is None or problems:
        raise ConfigError([str(problem) for problem in sorted(problems, key=_reading_order)])
    return config


def sources(file: Path | None = None) -> list[Path]:
    """Return the files that are read, the most general first; `file` must exist, others may."""
    own = platformdirs.user_config_path("anagnorisis") / "config.yaml"
    return [
        *([SYSTEM_FILE] if SYSTEM_FILE.exists() else []),
        *([file] if file else [own] if own.exists() else []),
    ]


def _reading_order(problem: Problem) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", problem.where)]


def _everything(
    flags: Flags, variables: Mapping[str, str], file: Path | None
) -> Iterator[Setting | Problem]:
    for path in sources(file):
        yield from files.read(path.expanduser(), str(path))
    yield from environment.read(variables)
    known = dict(fields())
    for key, (flag, text) in flags.items():
        yield Setting(key, environment.value(text, known[key]), flag, Path.cwd())


def _validated(settings: Mapping[Key, Setting], problems: list[Problem]) -> Config | None:
    known = dict(fields())
    values = {key: _placed(setting, known[key]) for key, setting in settings.items()}
    # Through JSON, because strict validation of Python values would want Path and enum objects.
    text = json.dumps(nested(values), default=str)
    try:
        config = Config.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems.extend(_problems(error, settings, known))
        return None
    problems.extend(_no_paths(settings, known))
    problems.extend(_unknown_timezone(config, settings))
    problems.extend(_nowhere(config, settings))
    return config


def _placed(setting: Setting, field: FieldInfo) -> object:
    """Return the value, with a path made absolute: `~` expanded, relative to its source."""
    if value_type(field) is Path and isinstance(setting.value, str) and setting.value:
        return str(setting.folder / Path(setting.value).expanduser())
    return setting.value


def _problems(
    error: ValidationError, settings: Mapping[Key, Setting], known: Mapping[Key, FieldInfo]
) -> Iterator[Problem]:
    told: set[Key] = set()
    for detail in error.errors():
        key, setting = _blamed(detail["loc"], settings)
        if key in told:
            continue
        told.add(key)
        if setting and key in known:
            yield Problem(setting.where, f"{dotted(key)}: {_refusal(setting.value, known[key])}")
        else:
            message = detail["msg"].removeprefix("Value error, ")
            yield Problem(
                setting.where if setting else "configuration", f"{dotted(key)}: {message}"
            )


def _blamed(
    location: Sequence[int | str], settings: Mapping[Key, Setting]
) -> tuple[Key, Setting | None]:
    """Return the key that an error is about and its setting; of a whole section, any of it."""
    parts = tuple(str(part) for part in location)
    for length in range(len(parts), 0, -1):
        if parts[:length] in settings:
            return parts[:length], settings[parts[:length]]
    inside = (s for key, s in settings.items() if key[: len(parts)] == parts)
    return parts, next(inside, None)


def _refusal(value: Any, field: FieldInfo) -> str:
    if value is None:
        return f"is empty, but should be {allowed(field)}"
    hint = nearest(str(value), choices(field))
    return f"{shown(value)} is not {allowed(field)}{hint}"


def _no_paths(settings: Mapping[Key, Setting], known: Mapping[Key, FieldInfo]) -> Iterator[Problem]:
    for key, setting in settings.items():
        if value_type(known[key]) is Path and "\0" in str(setting.value):
            yield Problem(
                setting.where, f"{dotted(key)}: {shown(setting.value)} has a NUL, no path does"
            )


def _unknown_timezone(config: Config, settings: Mapping[Key, Setting]) -> Iterator[Problem]:
    key = ("training", "timezone")
    name = config.training.timezone
    if name is None:
        return
    known = zoneinfo.available_timezones()
    if name not in known:
        hint = nearest(name, known)
        yield Problem(settings[key].where, f"{dotted(key)}: unknown time zone {name!r}{hint}")


def _nowhere(config: Config, settings: Mapping[Key, Setting]) -> Iterator[Problem]:
    """Yield that vectors are to be made on other computers, but nobody says where."""
    key = ("embedding", "executor")
    if config.embedding.executor is Executor.DASK and config.embedding.dask.address is None:
        yield Problem(
            settings[key].where,
            f"{dotted(key)}: dask needs embedding.dask.address, the address of a running "
            "scheduler, such as tcp://desktop:8786",
        )
