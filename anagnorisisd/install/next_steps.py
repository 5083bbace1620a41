"""What is left to do after an installation, and what is left there after a removal."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from anagnorisisd.config import load, paths
from anagnorisisd.errors import ConfigError
from anagnorisisd.install.prefix import UNIT, InstallPrefix

SYSTEM_DIRECTORIES = (Path("/var/lib/anagnorisis"), Path("/var/cache/anagnorisis"))
"""Made by systemd, for the system unit."""


def after_installing(target: InstallPrefix, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield what the listener may want to do now."""
    programs = target.prefix / "bin"
    if str(programs) not in variables.get("PATH", "").split(":"):
        yield f"{programs} is not in your PATH; a new login may put it there"
    shadowing = _config_home(target) / UNIT
    if shadowing.exists():
        yield f"{shadowing} counts instead of the unit; remove it if it is an older copy"
    yield "For completions in zsh, before compinit in ~/.zshrc:"
    yield f"  fpath+=({target.prefix}/share/zsh/site-functions)"
    if target.for_all:
        yield "Start it, now and with the computer:"
        yield "  systemctl enable --now anagnorisis"
        return
    yield "Start it, now and with your session; the second line has it run without one, too:"
    yield "  systemctl --user enable --now anagnorisis"
    yield "  loginctl enable-linger"


def after_removing(target: InstallPrefix) -> Iterator[str]:
    """Yield where what was learnt still lies."""
    kept = [target.config.parent, *(SYSTEM_DIRECTORIES if target.for_all else _directories())]
    there = [path for path in dict.fromkeys(kept) if path.exists()]
    if there:
        yield "Kept, with all ratings; remove it by hand if you want it gone:"
    for path in there:
        yield f"  {path}"


def _directories() -> list[Path]:
    try:
        where = paths.resolve(load.load({}, os.environ), os.environ)
    except ConfigError:  # it is of no use any more; the usual places may hold something
        named = (platformdirs.user_state_path, platformdirs.user_data_path)
        return [find(paths.NAME) for find in (*named, platformdirs.user_cache_path)]
    return [where.state, where.models, where.cache]


def _config_home(target: InstallPrefix) -> Path:
    """Return where units lie that come before those of a prefix."""
    if target.for_all:
        return Path("/etc/systemd/system")
    return platformdirs.user_config_path("systemd") / "user"
