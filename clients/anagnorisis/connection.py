"""Connection to the daemon, and translation of gRPC errors to one-line messages.

Importing `grpc` takes most of the start time, so it is imported only where a call is made.
"""

import os
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from anagnorisis.errors import UNAVAILABLE, USAGE, Failed

if TYPE_CHECKING:
    import grpc

    from anagnorisis.remote import Place

SECONDS_TO_ANSWER = 15.0
"""Timeout of a unary call; the daemon's own timeout for MPD is 10 seconds."""


def default_socket() -> str:
    """Return the daemon's socket: `ANAGNORISIS_SOCKET`, else the first default path that exists."""
    named = os.environ.get("ANAGNORISIS_SOCKET")
    if named:
        return named
    paths = _default_sockets()
    return next(filter(os.path.exists, paths), paths[0])


def _default_sockets() -> list[str]:
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    bases = [runtime, state] if os.path.isdir(runtime) else [state]
    folders = [*(f"{folder}/anagnorisis" for folder in bases), "/run/anagnorisis"]
    return [f"{folder}/anagnorisisd.sock" for folder in folders]


def add_options(parser: ArgumentParser) -> None:
    """Add the options that select the daemon; they are allowed before and after the command."""
    for option, metavar, summary in (
        (
            "socket",
            "PATH",
            "socket of the daemon (default: $ANAGNORISIS_SOCKET, else the usual ones)",
        ),
        ("address", "HOST:PORT", "address of a daemon on another computer ($ANAGNORISIS_ADDRESS)"),
        ("token-file", "PATH", "file with its token ($ANAGNORISIS_TOKEN_FILE)"),
        ("certificate", "PATH", "file with the certificate to trust ($ANAGNORISIS_CERTIFICATE)"),
    ):
        parser.add_argument(f"--{option}", metavar=metavar, default=SUPPRESS, help=summary)


@contextmanager
def connected(arguments: Namespace) -> "Iterator[grpc.Channel]":
    """Open a channel to the daemon; gRPC errors become `Failed`."""
    import grpc

    place, channel_context = _open_channel(arguments)
    try:
        with channel_context as channel:
            yield channel
    except grpc.RpcError as error:
        raise failed(error, place) from error


def _open_channel(arguments: Namespace) -> "tuple[str, grpc.Channel]":
    """Return the daemon's address and a channel; `--socket` takes precedence over an address."""
    import grpc

    if is_remote(arguments):
        from anagnorisis import remote

        place = remote_place(arguments)
        return place.address, remote.channel(place)
    path = socket_path(arguments)
    return path, grpc.insecure_channel(socket_target(path))


def remote_place(arguments: Namespace) -> "Place":
    """Return the remote daemon that the options select.

    Raises:
        Failed: the address cannot be one.
    """
    from anagnorisis.remote import Place

    address = _option(arguments, "address") or ""
    if not address.isprintable():  # false also for bytes that are not UTF-8
        raise Failed("the daemon's address is not HOST:PORT", USAGE)
    return Place(address, _option(arguments, "token_file"), _option(arguments, "certificate"))


def socket_path(arguments: Namespace) -> str:
    """Return the socket that the options select."""
    return getattr(arguments, "socket", None) or default_socket()


def socket_target(path: str) -> str:
    """Return gRPC's name for a socket."""
    # gRPC takes a URI: `%` starts an escape, and a path may have bytes that are not UTF-8.
    return f"unix:{quote(os.fsencode(os.path.abspath(path)))}"


def is_remote(arguments: Namespace) -> bool:
    """Return whether the options select a daemon at a network address."""
    return bool(_option(arguments, "address") and not getattr(arguments, "socket", None))


def _option(arguments: Namespace, name: str) -> str | None:
    return getattr(arguments, name, None) or os.environ.get(f"ANAGNORISIS_{name.upper()}")


def failed(error: "grpc.RpcError | grpc.aio.AioRpcError", place: str) -> Failed:
    """Return the failure that a gRPC error means, with a message for the user."""
    import grpc

    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError)
    code, text = error.code(), error.details() or ""
    from_daemon = any(
        key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ()
    )
    if code is grpc.StatusCode.UNAVAILABLE:
        return Failed(text if from_daemon else _no_daemon(place), UNAVAILABLE)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Failed(f"the daemon on {place} did not answer in time", UNAVAILABLE)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Failed(text, USAGE)
    return Failed(text or code.name.lower())


def _no_daemon(place: str) -> str:
    return f"no daemon answers on {place}; start it with `anagnorisisd`, or name another --socket"
