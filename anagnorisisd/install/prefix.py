"""Where things are put: for one listener, or for the whole computer."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from anagnorisisd.config import load

UNIT = "anagnorisis.service"
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class InstallPrefix:
    """A prefix, and the systemd that sees to it."""

    prefix: Path
    units: Path
    """Where systemd looks for units, relative to the prefix."""
    config: Path
    for_all: bool

    def systemctl(self, *words: str) -> bool:
        """Tell systemd something; return whether it did it."""
        manager = "--system" if self.for_all else "--user"
        try:
            done = subprocess.run(
                ["systemctl", manager, *words],
                capture_output=True,
                check=False,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def listener() -> InstallPrefix:
    """Return the places of the listener who runs this."""
    return InstallPrefix(
        prefix=Path.home() / ".local",
        units=Path("share/systemd/user"),
        config=platformdirs.user_config_path("anagnorisis") / "config.yaml",
        for_all=False,
    )


def computer() -> InstallPrefix:
    """Return the places of the whole computer."""
    return InstallPrefix(
        prefix=Path("/usr/local"),
        units=Path("lib/systemd/system"),
        config=load.SYSTEM_FILE,
        for_all=True,
    )
