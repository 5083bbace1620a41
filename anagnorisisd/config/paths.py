"""Where everything lies on disk, resolved once so that nothing else deals with paths.

What the configuration leaves open is filled in: by the directories that systemd hands a service
(`STATE_DIRECTORY` and its kin), else by the XDG base directories. Nothing is created here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from anagnorisisd.config.schema import Config
from anagnorisisd.errors import ConfigError

NAME = "anagnorisis"
SOCKET_NAME = "anagnorisisd.sock"
SYSTEM_MUSIC = Path("/var/lib/mpd/music")
"""Where Debian's MPD has its music; the default of the system service."""

LONGEST_SOCKET_PATH_BYTES = 107
"""Linux keeps the path of a Unix socket in 108 bytes, the closing zero included."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute paths; only `music` is expected to exist, the others are made when needed."""

    music: Path
    state: Path
    socket: Path
    models: Path
    cache: Path


def resolve(config: Config, variables: Mapping[str, str]) -> Paths:
    """Return where everything lies.

    Raises:
        ConfigError: the socket's path is too long to be one.
    """
    service = "STATE_DIRECTORY" in variables
    state = (
        config.state.directory
        or _handed(variables, "STATE_DIRECTORY")
        or platformdirs.user_state_path(NAME)
    )
    data = state if service else platformdirs.user_data_path(NAME)
    return Paths(
        music=config.music.directory
        or (SYSTEM_MUSIC if service else platformdirs.user_music_path()),
        state=state,
        socket=_checked(config.rpc.socket or _socket(variables)),
        models=config.embedding.model_directory or data / "models",
        cache=_handed(variables, "CACHE_DIRECTORY") or platformdirs.user_cache_path(NAME),
    )


def _handed(variables: Mapping[str, str], name: str) -> Path | None:
    """Return the first directory systemd lists in a variable."""
    first = variables.get(name, "").split(":")[0]
    return Path(first) if first else None


def _socket(variables: Mapping[str, str]) -> Path:
    """Return the default place of the socket; the client looks in the same places.

    Where there is no runtime directory (a bare `su`, a container) it is the state directory:
    unlike `/tmp` nobody else can have put something there.
    """
    handed = _handed(variables, "RUNTIME_DIRECTORY")
    if handed:
        return handed / SOCKET_NAME
    runtime = Path(variables.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    if runtime.is_dir():
        return runtime / NAME / SOCKET_NAME
    return platformdirs.user_state_path(NAME) / SOCKET_NAME


def _checked(socket: Path) -> Path:
    length = len(os.fsencode(socket))
    if length > LONGEST_SOCKET_PATH_BYTES:
        raise ConfigError(
            [
                f"rpc.socket: {socket} has {length} bytes, but a Unix socket's path takes at most "
                f"{LONGEST_SOCKET_PATH_BYTES}; set a shorter one"
            ]
        )
    return socket
