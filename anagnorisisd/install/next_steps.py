"""Hints printed after `install`, and the remaining directories after `uninstall`."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from anagnorisisd.config import load, paths
from anagnorisisd.errors import ConfigError
from anagnorisisd.install.prefix import UNIT, InstallPrefix

SYSTEM_DIRECTORIES = (Path("/var/lib/anagnorisis"), Path("/var/cache/anagnorisis"))
"""State and cache directories that systemd creates for the system unit."""


def after_installing(target: InstallPrefix, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield hints on how to start the service and use the programs."""
    programs = target.prefix / "bin"
    if str(programs) not in variables.get("PATH", "").split(":"):
        yield f"{programs} is not in your PATH; logging in again may add it"
    shadowing = _config_home(target) / UNIT
    if shadowing.exists():
        yield f"{shadowing} overrides the installed unit; remove it if it is an old copy"
    yield "To enable completions in zsh, add this before compinit in ~/.zshrc:"
    yield f"  fpath+=({target.prefix}/share/zsh/site-functions)"
    if target.for_all:
        yield "To start the daemon now and at boot:"
        yield "  systemctl enable --now anagnorisis"
        return
    yield "To start the daemon now and with your session (second line: also without a session):"
    yield "  systemctl --user enable --now anagnorisis"
    yield "  loginctl enable-linger"


def after_removing(target: InstallPrefix) -> Iterator[str]:
    """Yield the directories with data, which `uninstall` keeps."""
    kept = [target.config.parent, *(SYSTEM_DIRECTORIES if target.for_all else _directories())]
    there = [path for path in dict.fromkeys(kept) if path.exists()]
    if there:
        yield "These directories with your ratings and settings were kept; remove them by hand:"
    for path in there:
        yield f"  {path}"


def _directories() -> list[Path]:
    try:
        where = paths.resolve(load.load({}, os.environ), os.environ)
    except ConfigError:  # an invalid configuration; the default directories may exist
        defaults = (platformdirs.user_state_path, platformdirs.user_data_path)
        return [path_of(paths.NAME) for path_of in (*defaults, platformdirs.user_cache_path)]
    return [where.state, where.models, where.cache]


def _config_home(target: InstallPrefix) -> Path:
    """Return the directory whose units override those of the prefix."""
    if target.for_all:
        return Path("/etc/systemd/system")
    return platformdirs.user_config_path("systemd") / "user"
