"""What the connected MPD supports and permits, and the remedy for what is missing."""

import re
from collections.abc import Collection

REMEDIES = {
    "addid": "MPD does not permit adding picks: set a password with the permission 'control'",
    "deleteid": "MPD does not permit removing picks: the permission 'control' is missing",
    "sendmessage": "MPD does not permit replies to messages: the permission 'control' is missing",
    "subscribe": "MPD does not permit receiving messages: the permission 'read' is missing",
}
NO_MESSAGES = "MPD has no client-to-client messages, so it cannot pass on commands like 'rate 8'"
OLDEST_VERSION = (0, 21)
UNSUPPORTED_VERSION = (
    "MPD speaks version {version} of the protocol, which is older than 0.21 and not supported: "
    "use MPD 0.21 or later (the MPD front end of Mopidy speaks 0.19)"
)
NO_STICKERS = "MPD has no stickers: set sticker_file in mpd.conf to rate from other clients"
NO_STICKER_PERMISSION = "MPD does not permit stickers: the permission 'admin' is missing"


def missing_features(
    version: str, allowed: Collection[str], forbidden: Collection[str]
) -> list[str]:
    """Return a message with a remedy for each feature that is missing.

    `version` is that of the protocol, `allowed` and `forbidden` are the commands that MPD lists in
    `commands` and `notcommands`.
    """
    missing = [UNSUPPORTED_VERSION.format(version=version)] if is_too_old(version) else []
    missing += [remedy for command, remedy in REMEDIES.items() if command not in allowed]
    if "sticker" not in allowed:
        missing.append(NO_STICKER_PERMISSION if "sticker" in forbidden else NO_STICKERS)
    return missing


def is_too_old(version: str) -> bool:
    """Return whether a version of MPD's protocol is not supported; an unreadable one is."""
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    return numbers is not None and tuple(map(int, numbers.groups())) < OLDEST_VERSION
