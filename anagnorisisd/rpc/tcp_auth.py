"""TCP configuration and token authentication.

TCP requires a token, and TLS unless the address is a loopback address.
"""

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
from anagnorisisd.errors import ConfigError, MediaError
from anagnorisisd.library.file_access import open_regular

MIN_TOKEN_LENGTH = 16
MAX_FILE_BYTES = 1 << 20
"""Of a token, certificate or key; chains of certificates have some kilobytes."""

BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class TcpConfig:
    """Address, token and TLS credentials; without credentials connections are not encrypted."""

    host: str
    port: int
    token: bytes
    credentials: grpc.ServerCredentials | None


def tcp_config(config: Tcp) -> TcpConfig | None:
    """Check the configuration and read its files; return `None` if TCP is off.

    Raises:
        ConfigError: the configuration is invalid, or allows access without a token or without TLS.
    """
    if config.address is None:
        return None
    host, port = _parse_address(config.address)
    if config.token_file is None:
        raise ConfigError(["rpc.tcp.token_file: TCP needs a token; name a file that holds one"])
    token = _read_token(config.token_file)
    if config.certificate and config.key:
        pair = (_read_key(config.key), _read_file("certificate", config.certificate))
        return TcpConfig(host, port, token, grpc.ssl_server_credentials([pair]))
    if config.certificate or config.key:
        raise ConfigError(["rpc.tcp: certificate and key belong together; name both or neither"])
    if not _is_loopback(host):
        raise ConfigError(
            [f"rpc.tcp.certificate: {config.address} can be reached from outside, so it needs TLS"]
        )
    return TcpConfig(host, port, token, None)


class TokenAuth(aio.ServerInterceptor):
    """Accepts only calls with the header `authorization: Bearer TOKEN`."""

    def __init__(self, token: bytes, recognise: Callable[[str], None]) -> None:
        """Call `recognise` with the peer of each authenticated call."""
        self._token = token
        self._recognise = recognise

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Reject calls without the token, also those of unknown methods."""
        header = dict(handler_call_details.invocation_metadata or ()).get("authorization", "")
        # Constant time, so that the duration reveals nothing about the token.
        if hmac.compare_digest(str(header).encode(), BEARER.encode() + self._token):
            handler = await continuation(handler_call_details)
            return handler and _with_peer_callback(handler, self._recognise)
        # A stream handler: the other kinds first wait for a request, so a client that sends none
        # would occupy a call slot.
        return grpc.stream_stream_rpc_method_handler(_reject)


def _with_peer_callback(handler: Any, note: Callable[[str], None]) -> Any:
    """Return a handler that first calls `note` with the peer."""
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


async def _reject(requests: AsyncIterator[bytes], context: aio.ServicerContext[Any, Any]) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "this needs the daemon's token: send the header `authorization: Bearer TOKEN`",
    )


def _parse_address(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 1 << 16):
        raise ConfigError([f"rpc.tcp.address: {address!r} is not host:port"])
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_token(path: Path) -> bytes:
    token = _read_file("token_file", path).strip().decode(errors="replace")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError([f"rpc.tcp.token_file: {path} can be read by others; chmod 600 {path}"])
    # Printable ASCII without spaces: other characters cannot be sent in a header unchanged.
    if not re.fullmatch(rf"[!-~]{{{MIN_TOKEN_LENGTH},}}", token):
        raise ConfigError(
            [
                f"rpc.tcp.token_file: {path} must hold one line of {MIN_TOKEN_LENGTH} plain"
                f" characters or more, without spaces; openssl rand -hex 32 > {path}"
            ]
        )
    return token.encode()


def _read_key(path: Path) -> bytes:
    key = _read_file("key", path)
    # A group may read it, for example Debian's ssl-cert.
    if stat.S_IMODE(path.stat().st_mode) & 0o027:
        raise ConfigError(
            [f"rpc.tcp.key: {path} can be read or changed by others; chmod 600 {path}"]
        )
    return key


def _read_file(field: str, path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except MediaError as error:
        raise ConfigError([f"rpc.tcp.{field}: {path}: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"rpc.tcp.{field}: {path}: {error.strerror}"]) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError([f"rpc.tcp.{field}: {path} has more than {MAX_FILE_BYTES} bytes"])
    return content
