"""Bytes that are no message, broken messages and forged page tokens, sent to every method.

`ANAGNORISIS_FUZZ_MESSAGES=3000 pytest --timeout 3600 tests/rpc/test_fuzz.py` sends as
many of each kind to each method.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anagnorisis.v1 import daemon_pb2
from anagnorisisd.domain.track import Uri
from anagnorisisd.rpc import paging
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.rpc.test_hostile_clients import ANSWERS, METHODS, messages
from tests.support.library import add_rated
from tests.support.rpc import House, Line, serving

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("ANAGNORISIS_FUZZ_MESSAGES", "15"))
REFLECT = "ServerReflection/ServerReflectionInfo"
FOREIGN: dict[str, type[Message]] = {
    "/grpc.health.v1.Health/Check": health_pb2.HealthCheckRequest,
    "/grpc.health.v1.Health/Watch": health_pb2.HealthCheckRequest,
    f"/grpc.reflection.v1alpha.{REFLECT}": reflection_pb2.ServerReflectionRequest,
    f"/grpc.reflection.v1.{REFLECT}": reflection_pb2.ServerReflectionRequest,
}
KINDS = {
    **{path: GetMessageClass(method.input_type) for path, method in METHODS.items()},
    **FOREIGN,
}
STREAMS = {path for path, method in METHODS.items() if method.server_streaming}
PAGED = [path for path, kind in KINDS.items() if "page_token" in kind.DESCRIPTOR.fields_by_name]

fuzzing = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


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


async def failure(channel: Any, path: str, content: bytes) -> aio.AioRpcError | None:
    """Send bytes to a method as its kind wants it; return the error, `None` for an answer."""
    try:
        if "Reflection" in path:
            await anext(aiter(channel.stream_stream(path)(iter([content]), timeout=20)))
        elif path in STREAMS or path.endswith("/Watch"):
            await beginning(channel.unary_stream(path)(content, timeout=20))
        else:
            await channel.unary_unary(path)(content, timeout=20)
    except aio.AioRpcError as error:
        return error
    except StopAsyncIteration:
        pass
    return None


async def beginning(call: Any) -> None:
    """Read the beginning of a stream that may never end."""
    if await call.read() is aio.EOF:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            while await call.read() is not aio.EOF:
                pass
    call.cancel()


async def check_refused(line: Line, path: str, content: bytes, field: str) -> None:
    """Check that the daemon names the field whose content it cannot take."""
    error = await failure(line.channel, path, content)
    assert error is not None
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error.details()
    status = rpc_status.from_call(error)
    assert status is not None, "programs can read it"
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.metadata["field"]) == ("INVALID_VALUE", field)


async def check(line: Line, path: str, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Check that bytes get the answer that they deserve, and leave no trace in the log."""
    try:
        KINDS[path].FromString(content)
    except DecodeError:
        await check_refused(line, path, content, "request")
    else:
        error = await failure(line.channel, path, content)
        assert error is None or error.code() in ANSWERS, error
    check_log(caplog)


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [record.getMessage() for record in loud]


def damaged(content: bytes, place: int, value: int, *, cut: bool) -> bytes:
    """Return a message with a byte changed, or cut off there."""
    if not content:
        return bytes([value])
    place %= len(content)
    return content[:place] if cut else content[:place] + bytes([value]) + content[place + 1 :]


@pytest.mark.parametrize("path", KINDS)
@fuzzing
@given(content=st.binary(max_size=300))
async def test_random_bytes(
    line: Line, caplog: pytest.LogCaptureFixture, path: str, content: bytes
) -> None:
    await check(line, path, content, caplog)


@pytest.mark.parametrize("path", KINDS)
async def test_bytes_that_are_certainly_no_message(
    line: Line, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    for content in (b"\xff", b"\x0a\xff", b"\x0b" * 200, b"\x07", b"\xff" * 1000):
        await check_refused(line, path, content, "request")

    check_log(caplog)
    assert (await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())).library.rated == 2


@pytest.mark.parametrize("path", METHODS)
@fuzzing
@given(data=st.data(), place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans())
async def test_truncated_and_changed_messages(
    line: Line,
    caplog: pytest.LogCaptureFixture,
    path: str,
    data: st.DataObject,
    place: int,
    value: int,
    cut: bool,
) -> None:
    message = data.draw(messages(KINDS[path]))

    content = damaged(message.SerializeToString(), place, value, cut=cut)

    await check(line, path, content, caplog)


@pytest.mark.parametrize("path", PAGED)
@pytest.mark.parametrize(
    "position", [2**53 + 1, 2**62, 2**63 - 1002, 2**63 - 2, 2**63 - 1, -1, -(2**63)]
)
async def test_forged_page_tokens(
    line: Line, caplog: pytest.LogCaptureFixture, path: str, position: int
) -> None:
    # The scopes of the lists with no field set; whoever reads the source can seal them as well.
    for scope in ((), (None,), ("unusable",), ("plays",), (0, 0, "")):
        request = KINDS[path](page_token=paging.token(position, *scope))
        await check_refused(line, path, request.SerializeToString(), "page_token")
    check_log(caplog)


@pytest.mark.parametrize("path", PAGED)
@fuzzing
@given(text=st.text(max_size=40) | st.text("ABCDEFab01-_=", min_size=20, max_size=24))
async def test_page_tokens_that_are_none(
    line: Line, caplog: pytest.LogCaptureFixture, path: str, text: str
) -> None:
    request = KINDS[path](page_token=text)

    if text:
        await check_refused(line, path, request.SerializeToString(), "page_token")
    check_log(caplog)
