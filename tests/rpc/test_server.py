"""The socket: whose it is, who may connect, and what is left of it."""

import os
import socket
import stat
from pathlib import Path

import grpc
import pytest
from grpc import aio

from anagnorisis.v1 import daemon_pb2, rating_pb2
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisisd.config.schema import Rpc
from anagnorisisd.errors import AlreadyRunning, ConfigError
from anagnorisisd.rpc.server import RpcServer
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.rpc import House, Line, refused, serving


@pytest.fixture
def house(stores: Stores, clock: FakeClock) -> House:
    return House.build(stores, clock)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_the_owner_may_connect_and_stopping_leaves_nothing(
    house: House, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "anagnorisis" / "sock"
    umask = os.umask(0)
    os.umask(umask)

    async with serving(house, path):
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o700

    assert not path.exists()
    assert os.umask(umask) == umask


@pytest.mark.parametrize("name", ["s", "_", "-", "x.", "_.", ".s", "ss"])
async def test_short_name_of_the_socket(house: House, tmp_path: Path, name: str) -> None:
    async with serving(house, tmp_path / name) as line:
        assert await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())

    assert not (tmp_path / name).exists()


async def test_group_socket_permissions(house: House, tmp_path: Path) -> None:
    path = tmp_path / "run" / "sock"

    async with serving(house, path, Rpc(share_with_group=True)):
        assert mode(path) == 0o660
        assert mode(path.parent) == 0o750


async def test_second_server_is_refused(house: House, tmp_path: Path) -> None:
    async with serving(house, tmp_path / "sock") as line:
        with pytest.raises(AlreadyRunning, match="another daemon listens on"):
            await RpcServer(Rpc(), tmp_path / "sock", house.servicers).start()

        assert await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())


async def test_a_socket_left_by_a_killed_daemon_is_taken_over(house: House, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "sock"))

    async with serving(house, tmp_path / "sock") as line:
        assert await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())


async def test_a_folder_that_cannot_be_made_is_named(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"rpc\.socket: .*file/sock"):
        await RpcServer(Rpc(), tmp_path / "file" / "sock", house.servicers).start()


async def test_stopping_ends_watchers_promptly(house: House, tmp_path: Path) -> None:
    server = RpcServer(Rpc(), tmp_path / "sock", house.servicers)
    await server.start()
    async with aio.insecure_channel(f"unix:{tmp_path / 'sock'}") as channel:
        watch = aiter(DaemonServiceStub(channel).WatchEvents(daemon_pb2.WatchEventsRequest()))
        await anext(watch)

        await server.stop()

        with pytest.raises(aio.AioRpcError) as caught:
            await anext(watch)
    assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_calls_are_timed_by_method_and_code(house: House, tmp_path: Path) -> None:
    timed: list[tuple[str, str]] = []

    def told(method: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        timed.append((method, code))

    server = RpcServer(Rpc(), tmp_path / "sock", house.servicers, told)
    await server.start()
    try:
        async with aio.insecure_channel(f"unix:{tmp_path / 'sock'}") as channel:
            line = Line(channel)
            await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())
            await refused(line.ratings.RateTrack(rating_pb2.RateTrackRequest(rating=11)))
            await anext(aiter(line.daemon.WatchEvents(daemon_pb2.WatchEventsRequest())))
    finally:
        await server.stop()

    assert timed == [
        ("DaemonService/GetStatus", "OK"),
        ("RatingService/RateTrack", "INVALID_ARGUMENT"),
    ]
