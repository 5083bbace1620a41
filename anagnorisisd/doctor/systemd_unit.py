"""The systemd units of the daemon: their state and what to do about it."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from anagnorisisd.doctor.finding import Finding, advice, fine, problem

UNIT = "anagnorisis.service"
UNIT_DIRECTORIES = tuple(
    map(Path, ("/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"))
)
PROPERTIES = "LoadState,ActiveState,Result,NRestarts,UnitFileState,NeedDaemonReload"
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit as its manager reports it; `active` is empty if systemd has not loaded it."""

    of_user: bool
    """Whether it is a unit of the user manager, not of the system manager."""
    active: str = ""
    result: str = ""
    restarts: int = 0
    enabled: bool = True
    outdated: bool = False
    """Whether the unit file has changed since systemd read it."""
    not_loaded: Path | None = None
    """The unit file, if it exists but systemd has not loaded it."""


def read_units() -> tuple[UnitFacts, ...]:
    """Return the system unit and the user unit."""
    return tuple(
        unit if unit.active else replace(unit, not_loaded=_unit_file(of_user=unit.of_user))
        for unit in (_read_unit(of_user=False), _read_unit(of_user=True))
    )


def _unit_file(*, of_user: bool) -> Path | None:
    """Return the unit file, if there is one."""
    if of_user:
        own = (platformdirs.user_config_path("systemd"), Path.home() / ".local/share/systemd")
        folders = [*own, *UNIT_DIRECTORIES]
    else:
        folders = list(UNIT_DIRECTORIES)
    paths = (folder / ("user" if of_user else "system") / UNIT for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _read_unit(*, of_user: bool) -> UnitFacts:
    manager = "--user" if of_user else "--system"
    try:
        done = subprocess.run(
            ["systemctl", manager, "show", UNIT, f"--property={PROPERTIES}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return UnitFacts(of_user)
    return parse_unit(done.stdout, of_user=of_user)


def parse_unit(output: str, *, of_user: bool) -> UnitFacts:
    """Parse the output of `systemctl show`."""
    found = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    if found.get("LoadState") in {None, "not-found"}:
        return UnitFacts(of_user)
    return UnitFacts(
        of_user,
        active=found.get("ActiveState", ""),
        result=found.get("Result", ""),
        restarts=int(found.get("NRestarts") or 0),
        enabled=found.get("UnitFileState", "").startswith("enabled"),
        outdated=found.get("NeedDaemonReload") == "yes",
    )


def check_units(units: tuple[UnitFacts, ...]) -> Finding:
    """Check that exactly one unit is active, enabled and up to date."""
    known = [unit for unit in units if unit.active]
    running = [unit for unit in known if unit.active in {"active", "reloading"}]
    not_loaded = next((unit for unit in units if unit.not_loaded), None)
    if not known and not_loaded is not None:
        systemctl = _command("systemctl", not_loaded)
        return advice(
            "unit",
            f"{not_loaded.not_loaded} exists, but systemd has not loaded it",
            f"`{systemctl} daemon-reload`, then `{systemctl} enable --now anagnorisis`",
        )
    if not known:
        return advice(
            "unit", "no unit is installed", "`anagnorisisd install` installs one for your session"
        )
    if len(running) > 1:
        return advice(
            "unit",
            "the user unit and the system unit are both active; picks are queued twice",
            "`systemctl --user disable --now anagnorisis`, or without --user as root",
        )
    if running:
        return _running(running[0])
    return _stopped(next((one for one in known if one.active != "inactive"), known[0]))


def _running(unit: UnitFacts) -> Finding:
    times = "time" if unit.restarts == 1 else "times"
    restarts = f", restarted {unit.restarts} {times}" if unit.restarts else ""
    message = f"{_name(unit)} is active{restarts}"
    if unit.outdated:
        systemctl = _command("systemctl", unit)
        return advice(
            "unit",
            f"{message}, but its file has changed since systemd read it",
            f"`{systemctl} daemon-reload`, then `{systemctl} restart anagnorisis`",
        )
    if not unit.enabled:
        enable = f"`{_command('systemctl', unit)} enable anagnorisis`"
        return advice("unit", f"{message}, but not enabled", enable)
    return fine("unit", message)


def _stopped(unit: UnitFacts) -> Finding:
    if unit.active == "inactive":
        start = f"`{_command('systemctl', unit)} start anagnorisis`"
        return advice("unit", f"{_name(unit)} is inactive", start)
    state = "failed" if unit.active == "failed" else f"is {unit.active}"
    message = f"{_name(unit)} {state}: {unit.result}"
    journal = f"`{_command('journalctl', unit)} -u anagnorisis` shows its log"
    return problem("unit", message, journal)


def _name(unit: UnitFacts) -> str:
    return f"anagnorisis.service ({'user' if unit.of_user else 'system'})"


def _command(program: str, unit: UnitFacts) -> str:
    return f"{program} --user" if unit.of_user else program
