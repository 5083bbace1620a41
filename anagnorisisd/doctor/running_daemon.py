"""Query the settings of a running daemon, so that the doctor checks the same paths and MPD.

The daemon may have been started with other flags or another environment than the doctor, by
`make run` or as a service for example.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from anagnorisis.mpd_address import candidates
from anagnorisisd.config.paths import NAME, SOCKET_NAME, Paths
from anagnorisisd.config.schema import Config
from anagnorisisd.config.settings import Key
from anagnorisisd.doctor import probe
from anagnorisisd.doctor.probe import MpdFacts, RunningDaemon

SYSTEM_SOCKET = Path("/run") / NAME / SOCKET_NAME
TIMEOUT_SECONDS = 5.0


def sockets(config: Config, paths: Paths) -> list[Path]:
    """Return the sockets to try; that of the system service, too, unless one is configured."""
    return [paths.socket] if config.rpc.socket else [paths.socket, SYSTEM_SOCKET]


def query_first(sockets: Iterable[Path]) -> RunningDaemon | None:
    """Return the settings of the first daemon that answers; `None` if none does."""
    return next((found for found in map(_query, sockets) if found is not None), None)


def _query(socket: Path) -> RunningDaemon | None:
    if not socket.is_socket():
        return None
    import grpc  # slow to import

    from anagnorisis.v1 import daemon_pb2
    from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub

    try:
        with grpc.insecure_channel(f"unix:{socket.absolute()}") as channel:
            request = daemon_pb2.GetStatusRequest()
            status = DaemonServiceStub(channel).GetStatus(request, timeout=TIMEOUT_SECONDS)
    except grpc.RpcError:
        return None
    if not status.HasField("paths"):  # an earlier version
        return None
    directories, mpd = status.paths, status.mpd
    connection = None
    if mpd.connected:
        facts = probe.mpd_facts(mpd.address, mpd.protocol_version, mpd.missing_features)
        unlisted = (
            f"{mpd.unlisted_tracks} of {mpd.present_tracks} tracks are not in MPD's database, so "
            f"they are not picked: {mpd.unlisted_reason}"
        )
        connection = replace(facts, unlisted=unlisted if mpd.unlisted_tracks else "")
    return RunningDaemon(
        socket,
        Path(directories.music_directory),
        Path(directories.state_directory),
        Path(directories.model_directory),
        mpd.address,
        connection,
    )


def connection_of(running: RunningDaemon | None, flags: Collection[Key]) -> MpdFacts | None:
    """Return the daemon's connection to MPD, unless a flag sets another address.

    The user's environment need not have the password that the daemon has.
    """
    return None if running is None or ("mpd", "address") in flags else running.connection


def adopt_settings(
    running: RunningDaemon,
    config: Config,
    paths: Paths,
    variables: Mapping[str, str],
    flags: Collection[Key],
) -> tuple[Config, Paths]:
    """Return configuration and paths with the daemon's settings, except for keys set by flags."""
    paths = replace(
        paths,
        socket=running.socket,
        music=paths.music if ("music", "directory") in flags else running.music,
        state=paths.state if ("state", "directory") in flags else running.state,
        models=running.models,
    )
    # Keep an address that is also found here: MPD_HOST may have its password.
    found = {str(address) for address in candidates(config.mpd.address, variables)}
    if ("mpd", "address") in flags or running.mpd in found:
        return config, paths
    mpd = config.mpd.model_copy(update={"address": running.mpd})
    return config.model_copy(update={"mpd": mpd}), paths
