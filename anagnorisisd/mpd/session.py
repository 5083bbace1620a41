"""A session with MPD: two connections, logged in, with a partition and a message channel."""

import os
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from anagnorisis.mpd_address import Address
from anagnorisisd.config.schema import Mpd
from anagnorisisd.errors import MediaError, PlayerRefused, PlayerUnavailable
from anagnorisisd.library.file_access import open_regular
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.errors import NOT_FOUND, CommandRefused
from anagnorisisd.mpd.queue_reader import QueueReader
from anagnorisisd.mpd.uri_map import UNRELATED, UriMap, make_uri_map

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
MAX_PASSWORD_BYTES = 4096
"""MPD accepts no longer line."""


@dataclass(frozen=True, slots=True)
class Session:
    """One connection for commands, and one that waits for changes and messages.

    `music_directory` is MPD's own, `None` where MPD does not tell it.
    """

    address: Address
    commands: Connection
    idle: Connection
    uris: UriMap
    music_directory: str | None
    missing_features: tuple[str, ...]
    subscribed: bool
    queue: QueueReader
    connect: Callable[[], Awaitable[Connection]] = field(repr=False)
    """Opens another connection with the same login."""

    @classmethod
    async def open(cls, address: Address, config: Mpd, library: Path | None, channel: str) -> Self:
        """Connect, log in, enter the partition, subscribe, and look up what MPD supports.

        Raises:
            PlayerUnavailable: no MPD answers, or not in time.
            PlayerRefused: the password is wrong, or the partition does not exist.
        """
        password = _read_password(config.password_file) or address.password
        connect = partial(_connect, address, password, config)
        opened: list[Connection] = []
        try:
            for _ in range(2):
                opened.append(await connect())
            commands, idle = opened
            commands.link(idle)
            allowed = set(await commands.call("commands"))
            forbidden = set(await commands.call("notcommands"))
            missing = missing_features(commands.version, allowed, forbidden)
            music_directory = await _music_directory(commands, allowed)
            uris = make_uri_map(music_directory, library, config.music_directory)
            if not uris.related:
                missing.append(UNRELATED.format(mpd=music_directory, library=str(library)))
            subscribed = bool(channel) and "subscribe" in allowed
            if subscribed and not await _subscribe(idle, channel):
                subscribed = False
                missing.append(NO_MESSAGES)
            queue = QueueReader(commands, uris.to_library)
            return cls(
                address,
                commands,
                idle,
                uris,
                music_directory,
                tuple(missing),
                subscribed,
                queue,
                connect,
            )
        except BaseException:
            for connection in opened:
                connection.close()
            raise

    def close(self) -> None:
        """Close both connections."""
        self.commands.close()
        self.idle.close()


async def open_first(
    addresses: Sequence[Address], config: Mpd, library: Path | None, channel: str
) -> Session:
    """Open a session at the first address where an MPD answers.

    Raises:
        PlayerUnavailable: none answers; the text has the reason for each address.
        PlayerRefused: one answers, but refuses the login.
    """
    reasons = []
    for address in addresses:
        try:
            return await Session.open(address, config, library, channel)
        except PlayerUnavailable as error:
            reasons.append(str(error))
    raise PlayerUnavailable("; ".join(reasons))


def _read_password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with open_regular(file) as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise PlayerRefused(f"others can read MPD's password in {file}: chmod 600 {file}")
            return opened.read(MAX_PASSWORD_BYTES).decode().strip()
    except (OSError, MediaError, UnicodeDecodeError) as error:
        raise PlayerRefused(f"MPD's password cannot be read from {file}: {error}") from error


async def _connect(address: Address, password: str | None, config: Mpd) -> Connection:
    connection = await Connection.open(address, config.timeout_seconds)
    try:
        await _log_in(connection, password, config.partition)
    except BaseException:
        connection.close()
        raise
    return connection


async def _log_in(connection: Connection, password: str | None, partition: str | None) -> None:
    if password is not None:
        await connection.call("password", password)
    if partition is None:
        return
    try:
        await connection.call("partition", partition)
    except CommandRefused as error:
        if error.code is not NOT_FOUND:
            raise
        raise PlayerRefused(
            f"MPD has no partition {partition!r}; create it with 'mpc mkpartition {partition}' "
            "or change mpd.partition"
        ) from error


async def _subscribe(connection: Connection, channel: str) -> bool:
    try:
        await connection.call("subscribe", channel)
    except CommandRefused:
        return False
    return True


async def _music_directory(connection: Connection, allowed: set[str]) -> str | None:
    """Return MPD's own music directory; MPD tells it to clients on a local socket only."""
    if "config" not in allowed:
        return None
    try:
        settings: dict[str, str] = await connection.call("config")
    except CommandRefused:
        return None
    return settings.get("music_directory")


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
    return not is_at_least(version, OLDEST_VERSION)


def is_at_least(version: str, oldest: tuple[int, int]) -> bool:
    """Return whether a version of MPD's protocol is `oldest` or later; an unreadable one is."""
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    return numbers is None or tuple(map(int, numbers.groups())) >= oldest
