"""Putting things into their places, and taking them away again."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from anagnorisisd.errors import InstallationFailed
from anagnorisisd.install import packaged_files
from anagnorisisd.install.config_template import commented
from anagnorisisd.install.prefix import UNIT, InstallPrefix

WRITABLE = 0o644


def install(target: InstallPrefix) -> Iterator[str]:
    """Put everything into its place, and say what was done.

    Programs, completions and the man page become links to where they were installed; the unit is
    copied, because systemd may want it before that disk is mounted. A configuration that is there
    already stays as it is.

    Raises:
        InstallationFailed: something of somebody else is in the way, or may not be written there.
    """
    files = packaged_files.for_prefix(target.units)
    try:
        for path in files:
            _place(path, target)
        _copy_drop_ins(target)
        fresh = _write_config(target.config)
    except OSError as error:
        raise _failed(error) from error
    reloaded = target.systemctl("daemon-reload")
    yield f"programs        {target.prefix / 'bin'}"
    yield f"man, completion {target.prefix / 'share'}"
    yield f"unit            {target.prefix / target.units / UNIT}"
    yield f"configuration   {target.config}{'' if fresh else ', which stays as it is'}"
    if not reloaded:
        yield "systemd did not answer; it finds the unit when it starts"


def uninstall(target: InstallPrefix) -> Iterator[str]:
    """Stop the service and take away what `install` put there, and say so.

    Raises:
        InstallationFailed: it may not be removed.
    """
    unit = target.prefix / target.units / UNIT
    if unit.exists() and target.systemctl("disable", "--now", UNIT):
        yield "stopped and disabled the service"
    try:
        for path in packaged_files.for_prefix(target.units):
            _take_away(path, target)
        shutil.rmtree(_drop_ins_of(target), ignore_errors=True)
    except OSError as error:
        raise _failed(error) from error
    target.systemctl("daemon-reload")
    yield f"took programs, unit, man page and completions away from {target.prefix}"


def _place(path: Path, target: InstallPrefix) -> None:
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


def _take_away(path: Path, target: InstallPrefix) -> None:
    here, there = packaged_files.prefix() / path, target.prefix / path
    ours = there.is_symlink() and there.readlink() == here
    if ours or (there != here and path.is_relative_to(target.units)):
        there.unlink(missing_ok=True)


def _copy_drop_ins(target: InstallPrefix) -> None:
    folder = _drop_ins_of(target)
    shutil.rmtree(folder, ignore_errors=True)  # those of an older systemd may be others
    for path in packaged_files.drop_ins():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)


def _drop_ins_of(target: InstallPrefix) -> Path:
    return target.prefix / target.units / f"{UNIT}.d"


def _write_config(path: Path) -> bool:
    """Write the configuration to begin with where there is none; return whether there was none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = commented((packaged_files.prefix() / packaged_files.CONFIG).read_text(encoding="utf-8"))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, WRITABLE)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _failed(error: OSError) -> InstallationFailed:
    reason = (error.strerror or str(error)).lower()
    remedy = "; become root to install for all" if isinstance(error, PermissionError) else ""
    return InstallationFailed(f"{error.filename}: {reason}{remedy}")
