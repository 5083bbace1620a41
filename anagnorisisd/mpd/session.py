"""Both connections to one MPD, opened together and lost together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from anagnorisisd.config.schema import Mpd
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.library.file_access import real_path
from anagnorisisd.mpd.address import Address
from anagnorisisd.mpd.connection import GONE, Connection, Refused
from anagnorisisd.mpd.queue_reader import QueueReader
from anagnorisisd.mpd.uri_map import UriMap

REMEDIES = {
    "addid": "MPD does not let us add picks: give it a password with the permission 'control'",
    "deleteid": "MPD does not let us take picks back: the permission 'control' is missing",
    "sendmessage": "MPD does not let us answer on the channel: the permission 'control' is missing",
    "subscribe": "MPD does not let us listen on the channel: the permission 'read' is missing",
}
NO_MESSAGES = "MPD has no client-to-client messages, so commands cannot come through a channel"
OLDEST_VERSION = (0, 21)
UNSUPPORTED = (
    "MPD speaks version {version} of the protocol, which is older than 0.21 and not supported: "
    "use MPD 0.21 or later (the MPD front end of Mopidy speaks 0.19)"
)
NO_STICKERS = "MPD has no stickers: set sticker_file in mpd.conf to rate from other clients"
NO_STICKER_PERMISSION = "MPD does not let us use stickers: the permission 'admin' is missing"


@dataclass(frozen=True, slots=True)
class Session:
    """A link that works: one connection for commands, one that waits for changes and messages."""

    address: Address
    commands: Connection
    waiting: Connection
    uris: UriMap
    music_directory: str | None
    lacking: tuple[str, ...]
    subscribed: bool
    queue: QueueReader

    @classmethod
    async def open(cls, address: Address, config: Mpd, library: Path, channel: str) -> Self:
        """Connect twice, log in, enter the partition, subscribe, and look at what is possible.

        Raises:
            PlayerUnavailable: MPD is not there or does not answer in time.
            PlayerRefused: it does not take the password or has no such partition.
        """
        password = _password(config.password_file) or address.password
        opened: list[Connection] = []
        try:
            for _ in range(2):
                connection = await Connection.open(address, config.timeout_seconds)
                opened.append(connection)
                await _enter(connection, password, config.partition)
            commands, waiting = opened
            commands.takes_along(waiting)
            allowed = set(await commands.call("commands"))
            lacking = _lacking(allowed, set(await commands.call("notcommands")))
            if is_too_old(commands.version):
                lacking.insert(0, UNSUPPORTED.format(version=commands.version))
            root = await _music_directory(commands, allowed)
            uris = _uris(root, library, config.music_directory)
            if not uris.related:
                lacking.append(_unrelated(root, library))
            subscribed = bool(channel) and "subscribe" in allowed
            if subscribed and not await _takes_subscription(waiting, channel):
                subscribed = False
                lacking.append(NO_MESSAGES)
            queue = QueueReader(commands, uris.to_library)
            return cls(address, commands, waiting, uris, root, tuple(lacking), subscribed, queue)
        except BaseException:
            for connection in opened:
                connection.close()
            raise

    def close(self) -> None:
        """Drop both connections."""
        self.commands.close()
        self.waiting.close()


async def open_first(
    addresses: Sequence[Address], config: Mpd, library: Path, channel: str
) -> Session:
    """Open a session with the first address where an MPD answers.

    Raises:
        PlayerUnavailable: none answers; the text has the reason of each.
        PlayerRefused: one answers, but does not let us in.
    """
    reasons = []
    for address in addresses:
        try:
            return await Session.open(address, config, library, channel)
        except PlayerUnavailable as error:
            reasons.append(str(error))
    raise PlayerUnavailable("; ".join(reasons))


async def _enter(connection: Connection, password: str | None, partition: str | None) -> None:
    if password is not None:
        await connection.call("password", password)
    if partition is None:
        return
    try:
        await connection.call("partition", partition)
    except Refused as error:
        if error.code is not GONE:
            raise
        raise PlayerRefused(
            f"MPD has no partition {partition!r}; create it with 'mpc mkpartition {partition}' "
            "or change mpd.partition"
        ) from error


def is_too_old(version: str) -> bool:
    """Whether a version of MPD's protocol is too old to rely on; one that says nothing is not."""
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    return numbers is not None and tuple(map(int, numbers.groups())) < OLDEST_VERSION


async def _takes_subscription(connection: Connection, channel: str) -> bool:
    try:
        await connection.call("subscribe", channel)
    except Refused:
        return False
    return True


async def _music_directory(connection: Connection, allowed: set[str]) -> str | None:
    """Return MPD's own music directory; MPD tells it to clients on a local socket only."""
    if "config" not in allowed:
        return None
    try:
        settings: dict[str, str] = await connection.call("config")
    except Refused:
        return None
    return settings.get("music_directory")


def _uris(root: str | None, library: Path, seen_by_mpd: Path | None) -> UriMap:
    place = seen_by_mpd or library
    if root is not None:
        return UriMap.between(_resolved(place), _resolved(PurePath(root)))
    # MPD does not tell. Nested paths say how the folders lie; any others are taken to name
    # the same folder as it is called here and there.
    nested = UriMap.between(_resolved(library), _resolved(place))
    return nested if nested.related else UriMap()


def _resolved(path: PurePath) -> PurePath:
    return PurePath(real_path(path))


def _unrelated(root: str | None, library: Path) -> str:
    return (
        f"MPD's music directory {root!r} has nothing to do with the library in {str(library)!r}: "
        "set music.directory to a folder that MPD sees, or say in mpd.music_directory "
        "where MPD sees it"
    )


def _lacking(allowed: set[str], forbidden: set[str]) -> list[str]:
    lacking = [remedy for command, remedy in REMEDIES.items() if command not in allowed]
    if "sticker" not in allowed:
        lacking.append(NO_STICKER_PERMISSION if "sticker" in forbidden else NO_STICKERS)
    return lacking


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        if file.stat().st_mode & 0o077:
            raise PlayerRefused(f"others can read MPD's password in {file}: chmod 600 {file}")
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PlayerRefused(f"MPD's password cannot be read from {file}: {error}") from error
