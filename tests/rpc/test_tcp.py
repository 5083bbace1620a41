"""TCP: off unless wanted, never without a token, and off loopback never in the clear."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisisd.config.schema import Rpc, Tcp
from anagnorisisd.errors import ConfigError
from anagnorisisd.rpc import tcp_auth
from anagnorisisd.rpc.server import RpcServer
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import add_tracks
from tests.support.rpc import House, Outcome, command, serving

TLS = Path(__file__).parents[1] / "fixtures" / "tls"
CERTIFICATE = TLS / "certificate.pem"
TOKEN = "0123456789abcdef0123"


@pytest.fixture
def house(stores: Stores, clock: FakeClock) -> House:
    return House.build(stores, clock)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The key of the certificate, as only its owner may read it."""
    path = tmp_path / "key.pem"
    path.write_bytes((TLS / "key.pem").read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def listening(house: House, tmp_path: Path, config: Tcp) -> AsyncIterator[None]:
    async with serving(house, tmp_path / "sock", Rpc(tcp=config)):
        yield


async def status(channel: aio.Channel, token: str | None) -> daemon_pb2.GetStatusResponse:
    metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
    return await DaemonServiceStub(channel).GetStatus(
        daemon_pb2.GetStatusRequest(), metadata=metadata, timeout=60
    )


async def test_the_token_opens_and_nothing_else_does(
    house: House, tmp_path: Path, token_file: Path, port: int
) -> None:
    config = Tcp(address=f"127.0.0.1:{port}", token_file=token_file)
    async with (
        listening(house, tmp_path, config),
        aio.insecure_channel(config.address or "") as channel,
    ):
        assert (await status(channel, TOKEN)).version
        for wrong in (None, "", TOKEN[:-1], TOKEN + "x", "wrong"):
            with pytest.raises(aio.AioRpcError) as caught:
                await status(channel, wrong)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert TOKEN not in str(caught.value.details())


async def test_without_the_token_not_even_health_watching_or_reflection_answer(
    house: House, tmp_path: Path, token_file: Path, port: int
) -> None:
    config = Tcp(address=f"127.0.0.1:{port}", token_file=token_file)
    async with (
        listening(house, tmp_path, config),
        aio.insecure_channel(config.address or "") as channel,
    ):
        watch = DaemonServiceStub(channel).WatchEvents(daemon_pb2.WatchEventsRequest())
        reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        check = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        for call in (anext(aiter(watch)), anext(aiter(reflect)), check):
            with pytest.raises(aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_socket_needs_no_token(
    house: House, tmp_path: Path, token_file: Path, port: int
) -> None:
    config = Tcp(address=f"127.0.0.1:{port}", token_file=token_file)
    unix = f"unix:{tmp_path / 'sock'}"
    async with listening(house, tmp_path, config), aio.insecure_channel(unix) as channel:
        assert (await status(channel, None)).version


async def test_with_a_certificate_the_line_is_encrypted(
    house: House, tmp_path: Path, token_file: Path, key: Path, port: int
) -> None:
    config = Tcp(address=f"0.0.0.0:{port}", token_file=token_file, certificate=CERTIFICATE, key=key)
    trust = grpc.ssl_channel_credentials(CERTIFICATE.read_bytes())
    async with listening(house, tmp_path, config):
        async with aio.secure_channel(f"localhost:{port}", trust) as channel:
            assert (await status(channel, TOKEN)).version
        async with aio.insecure_channel(f"localhost:{port}") as channel:
            with pytest.raises(aio.AioRpcError) as caught:
                await status(channel, TOKEN)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"token_file": None}, "token_file: TCP needs a token"),
        ({"address": "0.0.0.0:{port}"}, "can be reached from outside, so it needs TLS"),
        ({"address": "music.example:{port}"}, "can be reached from outside, so it needs TLS"),
        ({"address": "127.0.0.1"}, "is not host:port"),
        ({"address": "127.0.0.1:99999"}, "is not host:port"),
        ({"certificate": CERTIFICATE}, "belong together"),
        ({"key": "{key}"}, "belong together"),
        ({"certificate": Path("/nowhere"), "key": "{key}"}, "certificate: /nowhere: No such file"),
        ({"certificate": CERTIFICATE, "key": Path("/nowhere")}, "key: /nowhere: No such file"),
        ({"token_file": Path("/nowhere")}, "token_file: /nowhere: No such file"),
    ],
)
async def test_an_unsafe_door_stays_shut_and_nothing_is_left_open(
    house: House,
    tmp_path: Path,
    token_file: Path,
    key: Path,
    port: int,
    settings: dict[str, str | Path | None],
    complaint: str,
) -> None:
    given = {"address": "127.0.0.1:{port}", "token_file": token_file, **settings}
    filled = {
        name: value.format(port=port, key=key) if isinstance(value, str) else value
        for name, value in given.items()
    }
    config = Tcp.model_validate(filled)

    with pytest.raises(ConfigError, match=complaint):
        await RpcServer(Rpc(tcp=config), tmp_path / "sock", house.servicers).start()

    assert not (tmp_path / "sock").exists()


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        (TOKEN, 0o644, "can be read by others"),
        (TOKEN, 0o640, "can be read by others"),
        ("short", 0o600, "must hold one line of 16 plain characters or more"),
        ("é" * 20, 0o600, "must hold one line of 16 plain characters or more"),
        (f"{TOKEN}\n{TOKEN}", 0o600, "must hold one line of 16 plain characters or more"),
        (f"{TOKEN} {TOKEN}", 0o600, "must hold one line of 16 plain characters or more"),
        (f"{TOKEN}\x00", 0o600, "must hold one line of 16 plain characters or more"),
    ],
)
def test_a_token_that_is_none_is_refused(
    token_file: Path, text: str, mode: int, complaint: str
) -> None:
    token_file.write_text(text)
    token_file.chmod(mode)

    with pytest.raises(ConfigError, match=complaint):
        tcp_auth.tcp_config(Tcp(address="127.0.0.1:1", token_file=token_file))


@pytest.mark.parametrize("field", ["token_file", "certificate", "key"])
def test_a_fifo_is_not_waited_for(token_file: Path, key: Path, tmp_path: Path, field: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    given = {"token_file": token_file, "certificate": CERTIFICATE, "key": key, field: fifo}

    with pytest.raises(ConfigError, match=rf"rpc\.tcp\.{field}: .*fifo: not a regular file"):
        tcp_auth.tcp_config(Tcp.model_validate({"address": "127.0.0.1:1", **given}))


def test_an_endless_token_file_is_not_read(tmp_path: Path) -> None:
    endless = tmp_path / "token"
    endless.touch(0o600)
    os.truncate(endless, 1 << 40)

    with pytest.raises(ConfigError, match="has more than"):
        tcp_auth.tcp_config(Tcp(address="127.0.0.1:1", token_file=endless))


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_key_that_others_can_read_or_change_is_refused(
    token_file: Path, key: Path, mode: int
) -> None:
    key.chmod(mode)

    with pytest.raises(ConfigError, match=r"rpc\.tcp\.key: .* can be read or changed by others"):
        tcp_auth.tcp_config(
            Tcp(address="127.0.0.1:1", token_file=token_file, certificate=CERTIFICATE, key=key)
        )


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_key_that_its_owner_or_a_group_reads_is_taken(
    token_file: Path, key: Path, mode: int
) -> None:
    key.chmod(mode)

    assert tcp_auth.tcp_config(
        Tcp(address="127.0.0.1:1", token_file=token_file, certificate=CERTIFICATE, key=key)
    )


async def test_a_port_that_is_taken_is_named(
    house: House, tmp_path: Path, token_file: Path, port: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        config = Tcp(address=f"127.0.0.1:{port}", token_file=token_file)

        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
            await RpcServer(Rpc(tcp=config), tmp_path / "sock", house.servicers).start()

    assert not (tmp_path / "sock").exists()


class TestCommandLine:
    async def rate(self, *options: str | Path, **environment: str) -> Outcome:
        words = ("anagnorisis", "rate", "8", "a.ogg", *map(str, options))
        return await command(*words, socket=None, **environment)

    async def test_rating_over_tcp(
        self, house: House, tmp_path: Path, token_file: Path, key: Path, port: int
    ) -> None:
        await add_tracks(house.stores, "a.ogg")
        config = Tcp(
            address=f"127.0.0.1:{port}", token_file=token_file, certificate=CERTIFICATE, key=key
        )
        place = ("--address", f"localhost:{port}", "--token-file", token_file)
        async with listening(house, tmp_path, config):
            trusting = await self.rate(*place, "--certificate", CERTIFICATE)
            doubtful = await self.rate(*place)

        assert (trusting.code, trusting.out) == (0, "a: 8 (was none)\n")
        assert doubtful.code == 69

    async def test_address_from_the_environment_and_wrong_token(
        self, house: House, tmp_path: Path, token_file: Path, port: int
    ) -> None:
        await add_tracks(house.stores, "a.ogg")
        wrong = tmp_path / "wrong"
        wrong.write_text("x" * 20)
        config = Tcp(address=f"127.0.0.1:{port}", token_file=token_file)
        address = f"127.0.0.1:{port}"
        async with listening(house, tmp_path, config):
            right = await self.rate(
                ANAGNORISIS_ADDRESS=address, ANAGNORISIS_TOKEN_FILE=str(token_file)
            )
            refused = await self.rate("--address", address, "--token-file", wrong)
            missing = await self.rate("--address", address, "--token-file", tmp_path / "no")
            unnamed = await self.rate("--address", address)

        assert right.code == 0
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert (missing.code, unnamed.code) == (2, 2)
