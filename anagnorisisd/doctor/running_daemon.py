"""A daemon that runs is asked what it was told, so that the doctor looks at the same things.

`make run`, a unit and a terminal all give their daemon other settings than those that hold where
the doctor is called.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from anagnorisisd.config.paths import NAME, SOCKET_NAME, Paths
from anagnorisisd.config.schema import Config
from anagnorisisd.config.settings import Key
from anagnorisisd.doctor import probe
from anagnorisisd.doctor.facts import MpdFacts, Running
from anagnorisisd.mpd.address import candidates

SYSTEM_SOCKET = Path("/run") / NAME / SOCKET_NAME
SECONDS = 5.0


def sockets(config: Config, places: Paths) -> list[Path]:
    """Return where a daemon may listen; the system service's place counts unless one is named."""
    return [places.socket] if config.rpc.socket else [places.socket, SYSTEM_SOCKET]


def ask(places: Iterable[Path]) -> Running | None:
    """Return what the first daemon that answers was told; `None` when none does."""
    return next((found for found in map(_ask, places) if found is not None), None)


def _ask(socket: Path) -> Running | None:
    if not socket.is_socket():
        return None
    import grpc  # takes a while, and often nobody is there to be asked

    from anagnorisis.v1 import daemon_pb2
    from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub

    try:
        with grpc.insecure_channel(f"unix:{socket.absolute()}") as channel:
            request = daemon_pb2.GetStatusRequest()
            status = DaemonServiceStub(channel).GetStatus(request, timeout=SECONDS)
    except grpc.RpcError:
        return None
    if not status.HasField("places"):  # of an earlier version
        return None
    told, mpd = status.places, status.mpd
    link = None
    if mpd.connected:
        link = probe.mpd_facts(mpd.address, mpd.server_version, mpd.lacking)
    return Running(socket, Path(told.music), Path(told.state), Path(told.models), mpd.address, link)


def link(running: Running | None, told: Collection[Key]) -> MpdFacts | None:
    """Return the daemon's link to MPD, which counts unless `told` names another address.

    The shell need not have the password that the daemon has.
    """
    return None if running is None or ("mpd", "address") in told else running.link


def adopted(
    running: Running,
    config: Config,
    places: Paths,
    variables: Mapping[str, str],
    told: Collection[Key],
) -> tuple[Config, Paths]:
    """Return configuration and places as the daemon has them, but for the keys in `told`."""
    places = replace(
        places,
        socket=running.socket,
        music=places.music if ("music", "directory") in told else running.music,
        state=places.state if ("state", "directory") in told else running.state,
        models=running.models,
    )
    # An address found here too may come with a password, which the daemon does not tell.
    found = {str(address) for address in candidates(config.mpd.address, variables)}
    if ("mpd", "address") in told or running.mpd in found:
        return config, places
    mpd = config.mpd.model_copy(update={"address": running.mpd})
    return config.model_copy(update={"mpd": mpd}), places
