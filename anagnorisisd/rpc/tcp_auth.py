"""TCP, for clients on other machines: only with a token, and off loopback only with TLS."""

import hmac
import inspect
import ipaddress
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from anagnorisisd.config.schema import Tcp
from anagnorisisd.errors import ConfigError

SHORTEST_TOKEN = 16
BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class TcpConfig:
    """Where to listen, what opens it, and how it is encrypted, `None` meaning not at all."""

    host: str
    port: int
    token: bytes
    credentials: grpc.ServerCredentials | None


def tcp_config(config: Tcp) -> TcpConfig | None:
    """Return what is configured, `None` when TCP is off.

    Raises:
        ConfigError: TCP is on, but anybody could use it or listen in.
    """
    if config.address is None:
        return None
    host, port = _place(config.address)
    if config.token_file is None:
        raise ConfigError(["rpc.tcp.token_file: TCP needs a token; name a file that holds one"])
    token = _token(config.token_file)
    if config.certificate and config.key:
        pair = (_key(config.key), _read("certificate", config.certificate))
        return TcpConfig(host, port, token, grpc.ssl_server_credentials([pair]))
    if config.certificate or config.key:
        raise ConfigError(["rpc.tcp: certificate and key belong together; name both or neither"])
    if not _is_loopback(host):
        raise ConfigError(
            [f"rpc.tcp.certificate: {config.address} can be reached from outside, so it needs TLS"]
        )
    return TcpConfig(host, port, token, None)


class TokenAuth(aio.ServerInterceptor):
    """Lets calls pass that carry the token, in the header `authorization: Bearer TOKEN`."""

    def __init__(self, token: bytes, recognise: Callable[[str], None]) -> None:
        """`recognise` is told the peer of each call that passes."""
        self._token = token
        self._recognise = recognise

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Refuse calls without the token, whatever method they are for."""
        given = dict(handler_call_details.invocation_metadata or ()).get("authorization", "")
        # Compared in constant time: how long it takes says nothing about the token.
        if hmac.compare_digest(str(given).encode(), BEARER.encode() + self._token):
            handler = await continuation(handler_call_details)
            return handler and _noting(handler, self._recognise)
        # The only kind that waits for no message: who sends none must not keep a place.
        return grpc.stream_stream_rpc_method_handler(_refuse)


def _noting(handler: Any, note: Callable[[str], None]) -> Any:
    """Return the handler, telling the peer of each call first."""
    if handler.request_streaming:
        make, behaviour = grpc.stream_stream_rpc_method_handler, handler.stream_stream
    elif handler.response_streaming:
        make, behaviour = grpc.unary_stream_rpc_method_handler, handler.unary_stream
    else:
        make, behaviour = grpc.unary_unary_rpc_method_handler, handler.unary_unary

    async def stream(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        note(context.peer())
        async with aclosing(behaviour(request, context)) as messages:
            async for message in messages:
                yield message

    async def single(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        note(context.peer())
        return await behaviour(request, context)

    return make(
        stream if inspect.isasyncgenfunction(behaviour) else single,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _refuse(requests: AsyncIterator[bytes], context: aio.ServicerContext[Any, Any]) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "this needs the daemon's token: send the header `authorization: Bearer TOKEN`",
    )


def _place(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 1 << 16):
        raise ConfigError([f"rpc.tcp.address: {address!r} is not host:port"])
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(path: Path) -> bytes:
    token = _read("token_file", path).strip().decode(errors="replace")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError([f"rpc.tcp.token_file: {path} can be read by others; chmod 600 {path}"])
    # Of what a header can carry as it is; white space within could never match.
    if not re.fullmatch(rf"[!-~]{{{SHORTEST_TOKEN},}}", token):
        raise ConfigError(
            [
                f"rpc.tcp.token_file: {path} must hold one line of {SHORTEST_TOKEN} plain"
                f" characters or more, without spaces; openssl rand -hex 32 > {path}"
            ]
        )
    return token.encode()


def _key(path: Path) -> bytes:
    key = _read("key", path)
    # A group may be meant to read it, as Debian's ssl-cert is.
    if stat.S_IMODE(path.stat().st_mode) & 0o027:
        raise ConfigError(
            [f"rpc.tcp.key: {path} can be read or changed by others; chmod 600 {path}"]
        )
    return key


def _read(field: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([f"rpc.tcp.{field}: {path}: {error.strerror}"]) from error
