"""Whether the computer runs on its battery, as Linux tells it below /sys."""

from pathlib import Path

import psutil
import pytest

from anagnorisisd.embedding.service import on_battery

BATTERY = {"energy_now": "20", "energy_full": "50", "power_now": "10"}


@pytest.fixture
def supplies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(psutil._pslinux, "POWER_SUPPLY_PATH", str(tmp_path))
    return tmp_path


def supply(folder: Path, name: str, **facts: str) -> None:
    (folder / name).mkdir()
    for fact, value in facts.items():
        (folder / name / fact).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("plugged", "status", "expected"), [("0", "Discharging", True), ("1", "Charging", False)]
)
def test_a_laptop_is_on_battery_while_unplugged(
    supplies: Path, plugged: str, status: str, expected: bool
) -> None:
    supply(supplies, "AC0", online=plugged, type="Mains")
    supply(supplies, "BAT0", **BATTERY, status=status)

    assert on_battery() is expected


def test_a_computer_without_battery_never_is(supplies: Path) -> None:
    supply(supplies, "AC0", online="1", type="Mains")

    assert not on_battery()
