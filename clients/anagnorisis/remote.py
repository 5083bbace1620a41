"""Channel to a remote daemon: TLS, and the token in every call."""

import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from anagnorisis.errors import USAGE, Failed

MAX_TOKEN_LENGTH = 4096
MAX_FILE_BYTES = 1 << 20
"""Limit of bytes read from a token or certificate file, for example `/dev/zero`."""


class Place(NamedTuple):
    """Address of the daemon, file that holds its token, and file of the trusted certificate."""

    address: str
    token_file: str | None
    certificate: str | None


def channel(place: Place) -> grpc.Channel:
    """Open a channel; it uses TLS unless the address is loopback and no certificate is given.

    Raises:
        Failed: there is no valid token, or the certificate cannot be read.
    """
    header = token_header(place)
    credentials = channel_credentials(place)
    opened = (
        grpc.secure_channel(place.address, credentials)
        if credentials
        else grpc.insecure_channel(place.address)
    )
    return grpc.intercept_channel(opened, _TokenInterceptor(header))


def token_header(place: Place) -> tuple[str, str]:
    """Return the header that carries the token of the daemon.

    Raises:
        Failed: there is no valid token.
    """
    if place.token_file is None:
        raise Failed("name the file that holds the daemon's token with --token-file", USAGE)
    token = _read(place.token_file).decode(errors="replace").strip()
    if not 0 < len(token) <= MAX_TOKEN_LENGTH or not token.isascii() or not token.isprintable():
        problem = "holds no token, which is one line of printable ASCII"
        raise Failed(f"{place.token_file}: {problem}", USAGE)
    return ("authorization", f"Bearer {token}")


def channel_credentials(place: Place) -> grpc.ChannelCredentials | None:
    """Return what TLS needs, or `None` for a loopback address without a certificate.

    Raises:
        Failed: the certificate cannot be read.
    """
    if place.certificate is None and _is_loopback(place.address):
        return None
    return grpc.ssl_channel_credentials(_read(place.certificate) if place.certificate else None)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", USAGE) from error


class _TokenInterceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    def __init__(self, header: tuple[str, str]) -> None:
        self._header = header

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(_CallDetails.with_header(client_call_details, self._header), request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(_CallDetails.with_header(client_call_details, self._header), request)


class _CallDetails(grpc.ClientCallDetails):
    """Call details with an additional header; grpc has no concrete class for them."""

    @classmethod
    def with_header(cls, details: Any, header: tuple[str, str]) -> "_CallDetails":
        result = cls()
        for name in ("method", "timeout", "credentials", "wait_for_ready", "compression"):
            setattr(result, name, getattr(details, name, None))
        result.metadata = (*(details.metadata or ()), header)
        return result
