"""Whether the computer runs on its battery."""

import psutil


def on_battery() -> bool:
    """Say whether the battery is what the computer runs on; `False` where there is none."""
    battery = psutil.sensors_battery()
    return battery is not None and battery.power_plugged is False
