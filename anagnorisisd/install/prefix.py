"""Installation prefixes: `~/.local` for one user, or `/usr/local` for all."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from anagnorisisd.config import load

UNIT = "anagnorisis.service"
SYSTEMCTL_TIMEOUT_SECONDS = 60.0


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
