"""Crowds of connections and calls: others are served all the same."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisisd.config.schema import Rpc, Tcp
from anagnorisisd.events import PredictionsUpdated
from anagnorisisd.rpc import tcp_connection_limit
from anagnorisisd.rpc.server import MAX_CALLS_PER_CONNECTION
from anagnorisisd.rpc.unix_socket import MAX_CONNECTIONS
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.rpc import House, serving
from tests.support.until import until

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123"
HEADER = (("authorization", f"Bearer {TOKEN}"),)
OWN = [("grpc.use_local_subchannel_pool", 1)]
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""What a client begins with: the preface, and empty settings."""


@pytest.fixture
def house(stores: Stores, clock: FakeClock) -> House:
    return House.build(stores, clock)


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
async def address(house: House, tmp_path: Path, port: int) -> AsyncIterator[str]:
    """A daemon that listens on TCP."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    config = Rpc(tcp=Tcp(address=f"127.0.0.1:{port}", token_file=token))
    async with serving(house, tmp_path / "sock", config):
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def caller(address: str) -> AsyncIterator[Any]:
    """A connection of its own."""
    async with aio.insecure_channel(address, options=OWN) as channel:
        yield DaemonServiceStub(channel)


async def is_served(stub: Any) -> bool:
    request = daemon_pb2.GetStatusRequest()
    return bool((await stub.GetStatus(request, metadata=HEADER, timeout=20)).version)


def idle(address: str, source: str = "127.0.0.1") -> socket.socket:
    """Connect, greet, and say nothing more."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), 20, (source, 0))
    connection.sendall(HTTP2)
    return connection


async def is_hung_up(connection: socket.socket) -> bool:
    """Read until nothing comes for a moment; return whether the other side is gone."""
    connection.settimeout(0.2)
    try:
        while await asyncio.to_thread(connection.recv, 4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


async def test_idle_unauthenticated_connections_do_not_block_authenticated_ones(
    address: str,
) -> None:
    async with caller(address) as old:
        assert await is_served(old)
        with ExitStack() as crowd:
            for _ in range(300):
                crowd.enter_context(await asyncio.to_thread(idle, address))

            async with caller(address) as new:
                assert await is_served(new)
            assert await is_served(old)


async def test_unauthenticated_calls_without_messages_are_refused_at_once(address: str) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Future()
        yield b""

    async with AsyncExitStack() as crowd:
        calls = []
        for _ in range(11):
            channel: Any = await crowd.enter_async_context(
                aio.insecure_channel(address, options=OWN)
            )
            method = channel.stream_unary("/anagnorisis.v1.DaemonService/GetStatus")
            calls += [method(nothing(), timeout=60) for _ in range(100)]
        codes = {await call.code() for call in calls}
        async with caller(address) as known:
            assert await is_served(known)

    # Some are beyond what one connection may have at once, or its time was over.
    assert codes <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}
    assert grpc.StatusCode.UNAUTHENTICATED in codes


async def test_authentication_timeout(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_connection_limit, "AUTHENTICATION_TIMEOUT_SECONDS", 1.0)
    async with caller(address) as known:
        assert await is_served(known)
        watching = known.WatchEvents(
            daemon_pb2.WatchEventsRequest(heartbeat_seconds=1), metadata=HEADER
        )
        await watching.read()
        with await asyncio.to_thread(idle, address) as stranger:
            stranger.settimeout(20)
            with suppress(ConnectionError):
                while await asyncio.to_thread(stranger.recv, 4096):
                    pass

        beats = [await watching.read() for _ in range(2)]
        assert all(isinstance(beat, daemon_pb2.WatchEventsResponse) for beat in beats)
        watching.cancel()


async def test_eviction_from_the_host_with_most_unauthenticated_connections(address: str) -> None:
    with await asyncio.to_thread(idle, address, "127.0.0.2") as modest, ExitStack() as crowd:
        greedy = [
            crowd.enter_context(await asyncio.to_thread(idle, address))
            for _ in range(2 * tcp_connection_limit.MAX_UNAUTHENTICATED_CONNECTIONS)
        ]

        assert await is_hung_up(greedy[0])
        assert not await is_hung_up(modest)


HOARDER = """
import socket, sys
connections = []
for _ in range(int(sys.argv[2])):
    connections.append(socket.socket(socket.AF_UNIX))
    connections[-1].connect(sys.argv[1])
    connections[-1].sendall(bytes.fromhex(sys.argv[3]))
print("open", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def hoarder(path: Path, count: int) -> AsyncIterator[None]:
    """Another process that keeps so many idle connections open."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOARDER, str(path), str(count), HTTP2.hex(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    try:
        yield
    finally:
        process.kill()
        await process.communicate()


async def test_a_process_with_all_connections_makes_room_for_others(
    house: House, tmp_path: Path
) -> None:
    path = tmp_path / "sock"
    before = house.events.watchers
    async with serving(house, path), caller(f"unix:{path}") as old:
        watching = old.WatchEvents(daemon_pb2.WatchEventsRequest())
        await watching.read()
        async with hoarder(path, 2 * MAX_CONNECTIONS):
            for _ in range(3):
                async with caller(f"unix:{path}") as new:
                    assert await is_served(new)

            await until(lambda: house.events.watchers == before + 1)
        house.events.publish(PredictionsUpdated(1))
        assert isinstance(await watching.read(), daemon_pb2.WatchEventsResponse)
        watching.cancel()


async def test_of_one_process_the_connection_that_is_silent_longest_makes_room(
    house: House, tmp_path: Path
) -> None:
    path = tmp_path / "sock"
    async with serving(house, path), caller(f"unix:{path}") as used:
        watching = used.WatchEvents(daemon_pb2.WatchEventsRequest(heartbeat_seconds=1))
        await watching.read()
        with ExitStack() as crowd:
            idle_ones = [
                crowd.enter_context(await asyncio.to_thread(idle_at, path))
                for _ in range(MAX_CONNECTIONS - 1)
            ]
            await watching.read()
            for _ in range(5):
                crowd.enter_context(await asyncio.to_thread(idle_at, path))

            assert await is_hung_up(idle_ones[0])
            assert not await is_hung_up(idle_ones[-1])
            assert isinstance(await watching.read(), daemon_pb2.WatchEventsResponse)
        watching.cancel()


def idle_at(path: Path) -> socket.socket:
    """Connect to a Unix socket, greet, and say nothing more."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    connection.sendall(HTTP2)
    return connection


async def test_the_watchers_of_one_client_take_no_call_from_another(
    house: House, tmp_path: Path
) -> None:
    path = f"unix:{tmp_path / 'sock'}"
    request = daemon_pb2.WatchEventsRequest()
    before = house.events.watchers
    async with serving(house, tmp_path / "sock"), AsyncExitStack() as crowd:
        watching = []
        for _ in range(40):
            one = await crowd.enter_async_context(caller(path))
            watching += [one.WatchEvents(request) for _ in range(MAX_CALLS_PER_CONNECTION)]
        for watch in watching:
            await watch.read()
        assert len(watching) > 1000

        async with caller(path) as other:
            answer = await other.GetStatus(daemon_pb2.GetStatusRequest(), timeout=20)
            assert answer.version
        for watch in watching:
            watch.cancel()
    await until(lambda: house.events.watchers == before)


async def test_calls_beyond_the_limit_of_a_connection_wait(house: House, tmp_path: Path) -> None:
    path = f"unix:{tmp_path / 'sock'}"
    request = daemon_pb2.WatchEventsRequest()
    allowed = house.events.watchers + MAX_CALLS_PER_CONNECTION
    async with serving(house, tmp_path / "sock"), caller(path) as greedy:
        watching = [greedy.WatchEvents(request) for _ in range(3 * MAX_CALLS_PER_CONNECTION)]
        await until(lambda: house.events.watchers == allowed)

        async with caller(path) as other:
            assert (await other.GetStatus(daemon_pb2.GetStatusRequest(), timeout=20)).version
        assert house.events.watchers == allowed
        for watch in watching:
            watch.cancel()
