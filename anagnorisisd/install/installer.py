"""Install and uninstall programs, unit, man page and shell completions, and print hints."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from anagnorisisd.config import load, paths
from anagnorisisd.errors import ConfigError, InstallationFailed
from anagnorisisd.install import packaged_files
from anagnorisisd.install.packaged_files import config_template

UNIT = "anagnorisis.service"
WEB_UNIT = "anagnorisis-web.service"
"""Of the web page; only for users."""
SYSTEMCTL_TIMEOUT_SECONDS = 60.0
CONFIG_MODE = 0o644
SYSTEM_DIRECTORIES = (Path("/var/lib/anagnorisis"), Path("/var/cache/anagnorisis"))
"""State and cache directories that systemd creates for the system unit."""


@dataclass(frozen=True, slots=True)
class InstallPrefix:
    """A prefix with its unit directory, configuration file and systemd manager."""

    prefix: Path
    units: Path
    """Directory of systemd units, relative to the prefix."""
    config: Path
    for_all: bool

    def systemctl(self, *words: str) -> bool:
        """Run systemctl; return whether it succeeded."""
        manager = "--system" if self.for_all else "--user"
        try:
            done = subprocess.run(
                ["systemctl", manager, *words],
                capture_output=True,
                check=False,
                timeout=SYSTEMCTL_TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def user_prefix() -> InstallPrefix:
    """Return the prefix of the current user."""
    return InstallPrefix(
        prefix=Path.home() / ".local",
        units=Path("share/systemd/user"),
        config=platformdirs.user_config_path("anagnorisis") / "config.yaml",
        for_all=False,
    )


def system_prefix() -> InstallPrefix:
    """Return the prefix for all users."""
    return InstallPrefix(
        prefix=Path("/usr/local"),
        units=Path("lib/systemd/system"),
        config=load.SYSTEM_FILE,
        for_all=True,
    )


def install(target: InstallPrefix) -> Iterator[str]:
    """Install everything below the target prefix, and yield a line for each part.

    Programs, completions and the man page are symbolic links into the environment of this program;
    the unit is copied, because systemd may read it before that file system is mounted. An existing
    configuration is not changed.

    Raises:
        InstallationFailed: a foreign file has the same name, or a directory is not writable.
    """
    files = packaged_files.for_prefix(target.units)
    try:
        for path in files:
            _install_file(path, target)
        _copy_drop_ins(target)
        created = _create_config(target.config)
    except OSError as error:
        raise _failed(error) from error
    reloaded = target.systemctl("daemon-reload")
    yield f"programs        {target.prefix / 'bin'}"
    yield f"man, completion {target.prefix / 'share'}"
    for unit in _units(target):
        yield f"unit            {unit}"
    yield f"configuration   {target.config}{'' if created else ' (not changed)'}"
    if not reloaded:
        yield "systemd is not running; it will load the unit when it starts"


def uninstall(target: InstallPrefix) -> Iterator[str]:
    """Stop the service and remove what `install` installed, and yield a line for each step.

    Raises:
        InstallationFailed: a file cannot be removed.
    """
    for unit in _units(target):
        if target.systemctl("disable", "--now", unit.name):
            yield f"stopped and disabled {unit.name}"
    try:
        for path in packaged_files.for_prefix(target.units):
            _remove_file(path, target)
        shutil.rmtree(_drop_in_directory(target), ignore_errors=True)
    except OSError as error:
        raise _failed(error) from error
    target.systemctl("daemon-reload")
    yield f"removed programs, units, man pages and completions from {target.prefix}"


def _units(target: InstallPrefix) -> list[Path]:
    """Return the units that are installed."""
    folder = target.prefix / target.units
    return [folder / name for name in (UNIT, WEB_UNIT) if (folder / name).exists()]


def _install_file(path: Path, target: InstallPrefix) -> None:
    here, there = packaged_files.prefix() / path, target.prefix / path
    if there.exists() and there.samefile(here):
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    if path.is_relative_to(target.units):
        shutil.copyfile(here, there)
        return
    if there.exists() and not there.is_symlink():
        raise InstallationFailed(f"{there} is in the way; move it elsewhere and try again")
    there.unlink(missing_ok=True)
    there.symlink_to(here)


def _remove_file(path: Path, target: InstallPrefix) -> None:
    here, there = packaged_files.prefix() / path, target.prefix / path
    ours = there.is_symlink() and there.readlink() == here
    if ours or (there != here and path.is_relative_to(target.units)):
        there.unlink(missing_ok=True)


def _copy_drop_ins(target: InstallPrefix) -> None:
    folder = _drop_in_directory(target)
    shutil.rmtree(folder, ignore_errors=True)  # another systemd version may have had others
    for path in packaged_files.drop_ins():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)


def _drop_in_directory(target: InstallPrefix) -> Path:
    return target.prefix / target.units / f"{UNIT}.d"


def _create_config(path: Path) -> bool:
    """Write the initial configuration unless the file exists; return whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = config_template(
        (packaged_files.prefix() / packaged_files.CONFIG).read_text(encoding="utf-8")
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, CONFIG_MODE)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _failed(error: OSError) -> InstallationFailed:
    reason = (error.strerror or str(error)).lower()
    remedy = "; --system needs root" if isinstance(error, PermissionError) else ""
    return InstallationFailed(f"{error.filename}: {reason}{remedy}")


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
    if (target.prefix / target.units / WEB_UNIT).exists() and find_spec("starlette"):
        yield "To serve the web page at http://127.0.0.1:6610/ as well:"
        yield "  systemctl --user enable --now anagnorisis-web"


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
