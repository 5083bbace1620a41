"""Paths of music, state, socket, models and cache.

A path that is not configured comes from the environment variables that systemd sets for a service
(`STATE_DIRECTORY` and others), else from the XDG base directories. No directory is created here.
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
"""The music directory of Debian's MPD; the default of the system service."""

MAX_SOCKET_PATH_BYTES = 107
"""`sockaddr_un.sun_path` has 108 bytes on Linux, including the final NUL; see unix(7)."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute paths; only `music` must exist, the others are created when needed."""

    music: Path
    state: Path
    socket: Path
    models: Path
    cache: Path


def resolve(config: Config, variables: Mapping[str, str]) -> Paths:
    """Return the paths of a configuration, with defaults from the environment `variables`.

    Raises:
        ConfigError: the path of the socket is too long.
    """
    service = "STATE_DIRECTORY" in variables
    state = (
        config.state.directory
        or _systemd_directory(variables, "STATE_DIRECTORY")
        or platformdirs.user_state_path(NAME)
    )
    data = state if service else platformdirs.user_data_path(NAME)
    return Paths(
        music=config.music.directory
        or (SYSTEM_MUSIC if service else platformdirs.user_music_path()),
        state=state,
        socket=_checked(config.rpc.socket or _default_socket(variables)),
        models=config.embedding.model_directory or data / "models",
        cache=_systemd_directory(variables, "CACHE_DIRECTORY")
        or platformdirs.user_cache_path(NAME),
    )


def _systemd_directory(variables: Mapping[str, str], name: str) -> Path | None:
    """Return the first directory that systemd lists in a variable."""
    first = variables.get(name, "").split(":")[0]
    return Path(first) if first else None


def _default_socket(variables: Mapping[str, str]) -> Path:
    """Return the default path of the socket; the client has the same default."""
    directory = _systemd_directory(variables, "RUNTIME_DIRECTORY")
    if directory:
        return directory / SOCKET_NAME
    runtime = Path(variables.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    if runtime.is_dir():
        return runtime / NAME / SOCKET_NAME
    # Without a runtime directory (plain `su`, a container). Unlike /tmp, only this user can write
    # to the state directory.
    return platformdirs.user_state_path(NAME) / SOCKET_NAME


def _checked(socket: Path) -> Path:
    length = len(os.fsencode(socket))
    if length > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            [
                f"rpc.socket: {socket} has {length} bytes, but the path of a Unix socket can have "
                f"at most {MAX_SOCKET_PATH_BYTES}; set a shorter one"
            ]
        )
    return socket
