"""Whatever is sent, the daemon stays up, its memory flat and its store consistent."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anagnorisis.v1 import (
    daemon_pb2,
    evaluator_pb2,
    history_pb2,
    library_pb2,
    pick_pb2,
    playback_pb2,
    rating_pb2,
)
from anagnorisis.v1.track_pb2 import Target
from anagnorisisd.domain.track import Uri
from anagnorisisd.rpc.unix_socket import MAX_CONNECTIONS
from anagnorisisd.storage.stores import Stores, open_stores
from tests.fakes.clock import FakeClock
from tests.support.library import add_rated
from tests.support.rpc import House, Line, command, serving
from tests.support.until import until

pytestmark = pytest.mark.slow

PACKAGES = (
    daemon_pb2, evaluator_pb2, history_pb2, library_pb2, pick_pb2, playback_pb2, rating_pb2
)  # fmt: skip
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for package in PACKAGES
    for service in package.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAVAILABLE,
}
"""What a caller may be told of a request that makes no sense; never that the daemon failed."""

WORDS = ("a.ogg", "0" * 32, "x" * 5000)
ENOUGH_MESSAGES = 5
MEBIBYTE = 1 << 20


@pytest.fixture
def house(stores: Stores, clock: FakeClock) -> House:
    return House.build(stores, clock)


@pytest.fixture
async def line(house: House, tmp_path: Path) -> AsyncIterator[Line]:
    await add_rated(house.stores, {"a.ogg": 8, "b.ogg": 3})
    house.player.database = {Uri("a.ogg"): 100.0, Uri("b.ogg"): 100.0}
    house.player.add("a.ogg")
    await house.player.play()
    async with serving(house, tmp_path / "sock") as opened:
        yield opened


def values(field: Any) -> st.SearchStrategy[Any]:
    """Return anything that a field can hold, likely and unlikely."""
    kinds: dict[int, st.SearchStrategy[Any]] = {
        FieldDescriptor.CPPTYPE_STRING: st.text()
        | st.sampled_from(["a.ogg", "0" * 32, "x" * 5000]),
        FieldDescriptor.CPPTYPE_DOUBLE: st.floats() | st.floats(0, 10),
        FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 9),
        FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 9),
        FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
        FieldDescriptor.CPPTYPE_ENUM: st.integers(-1, 9),
        FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    }
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return messages(GetMessageClass(field.message_type))
    return kinds[field.cpp_type]


@st.composite
def messages(draw: st.DrawFn, kind: type[Message]) -> Message:
    """Return any message of a kind, with any of its fields set."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if not draw(st.booleans()):
            continue
        if field.is_repeated:
            chosen = draw(st.lists(values(field), max_size=4))
            getattr(message, field.name).extend(chosen)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(draw(values(field)))
        else:
            setattr(message, field.name, draw(values(field)))
    return message


async def outcome(channel: aio.Channel, path: str, request: Message) -> grpc.StatusCode:
    """Call a method as its kind wants it, reading no more than a few messages."""
    method: Any = channel.unary_stream if METHODS[path].server_streaming else channel.unary_unary
    answer = GetMessageClass(METHODS[path].output_type)
    call = method(
        path,
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer.FromString,
    )(request, timeout=20)
    try:
        if METHODS[path].server_streaming:
            await read_some(call)
        else:
            await call
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def read_some(call: Any) -> None:
    """Read the beginning of a stream that may never end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            for _ in range(ENOUGH_MESSAGES):
                if await call.read() is aio.EOF:
                    return
    call.cancel()


@pytest.mark.parametrize("path", METHODS)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_any_message_gets_a_sensible_answer(
    house: House, line: Line, path: str, data: st.DataObject
) -> None:
    request = data.draw(messages(GetMessageClass(METHODS[path].input_type)))

    assert await outcome(line.channel, path, request) in ANSWERS
    for rating in (await house.stores.ratings.current()).values():
        assert rating.value is not None
        assert 0 <= rating.value <= 10


async def alive(line: Line) -> None:
    """Check that the daemon answers, and has the ratings that it had."""
    status = await line.daemon.GetStatus(daemon_pb2.GetStatusRequest(), timeout=20)
    assert status.library.rated == 2


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(noise=st.binary(min_size=1, max_size=2000), polite=st.booleans())
async def test_random_bytes_on_the_socket_affect_no_other_client(
    line: Line, tmp_path: Path, noise: bytes, polite: bool
) -> None:
    _, writer = await asyncio.open_unix_connection(tmp_path / "sock")
    with suppress(ConnectionError):
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" * polite + noise)
        await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()

    await alive(line)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(noise=st.binary(min_size=1, max_size=500))
async def test_noise_instead_of_a_message_is_no_rating(
    house: House, line: Line, noise: bytes
) -> None:
    call: Any = line.channel.unary_unary("/anagnorisis.v1.RatingService/UndoRating")
    before = await house.stores.ratings.history(limit=1)
    with suppress(aio.AioRpcError):
        await call(b"\xff" + noise, timeout=20)

    assert await house.stores.ratings.history(limit=1) == before
    await alive(line)


async def test_large_fields_are_refused_by_name(line: Line) -> None:
    large = "x" * (MEBIBYTE - 1000)
    requests = (
        rating_pb2.RateTrackRequest(target=Target(uri=large), rating=5),
        rating_pb2.RateTrackRequest(target=Target(uri="a.ogg"), rating=5, source=large),
        rating_pb2.RateTrackRequest(target=Target(uri="a.ogg"), rating=5, request_id=large),
    )

    for request in requests:
        with pytest.raises(aio.AioRpcError) as caught:
            await line.ratings.RateTrack(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await alive(line)


async def test_calls_that_are_given_up_leave_nothing_behind(house: House, line: Line) -> None:
    before = house.events.watchers
    for _ in range(200):
        status = line.daemon.GetStatus(daemon_pb2.GetStatusRequest())
        watch = line.daemon.WatchEvents(daemon_pb2.WatchEventsRequest())
        await asyncio.sleep(0)
        status.cancel()
        watch.cancel()

    await until(lambda: house.events.watchers == before)
    # Streams that were given up count towards the limit of the connection for another moment.
    ask = (line.channel, "/anagnorisis.v1.DaemonService/GetStatus", daemon_pb2.GetStatusRequest())
    async with asyncio.timeout(20):
        while await outcome(*ask) is grpc.StatusCode.UNAVAILABLE:
            pass
    await alive(line)


async def test_ten_thousand_dropped_connections_leave_memory_flat(
    line: Line, tmp_path: Path
) -> None:
    def drop_a_hundred() -> None:
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(tmp_path / "sock"))

    async def drop(count: int) -> None:
        # The server is in this process too, and a process may have only 1024 files open.
        for _ in range(count // 100):
            await asyncio.to_thread(drop_a_hundred)
            await alive(line)

    await drop(1000)
    before = psutil.Process().memory_info().rss

    await drop(9000)

    assert psutil.Process().memory_info().rss - before < 24 * MEBIBYTE


async def test_connections_are_limited_and_the_idle_make_room(line: Line, tmp_path: Path) -> None:
    path = str(tmp_path / "sock")

    async def newcomer() -> grpc.StatusCode:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with aio.insecure_channel(f"unix:{path}", options=options) as channel:
            request = daemon_pb2.GetStatusRequest()
            return await outcome(channel, "/anagnorisis.v1.DaemonService/GetStatus", request)

    await alive(line)
    assert await newcomer() is grpc.StatusCode.OK
    with ExitStack() as crowd:
        idle = [crowd.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(MAX_CONNECTIONS)]
        for one in idle:  # in a thread, for the server is in this process too
            await asyncio.to_thread(one.connect, path)

        assert await newcomer() is grpc.StatusCode.OK
        idle[0].settimeout(5)  # before all those who say nothing are hung up on
        while await asyncio.to_thread(idle[0].recv, 4096):  # what the server greets with
            pass
        await alive(line)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can enter; those of pytest are closed to others already."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_of_the_machine_gets_nowhere(
    open_folder: Path, clock: FakeClock
) -> None:
    token = open_folder / "token"
    token.touch(mode=0o600)
    stores = await open_stores(open_folder / "state")
    try:
        async with serving(House.build(stores, clock), open_folder / "run" / "sock"):
            for path, access in (
                (open_folder / "run" / "sock", "-w"),
                (open_folder / "run", "-x"),
                (open_folder / "state", "-x"),
                (open_folder / "state" / "anagnorisis.db", "-r"),
                (token, "-r"),
            ):
                own = await command("test", access, str(path))
                foreign = await command(
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    "test", access, str(path),
                )  # fmt: skip
                assert (own.code, foreign.code) == (0, 1), path
    finally:
        await stores.close()
