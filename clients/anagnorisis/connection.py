"""Reaching the daemon, and saying in one line why it cannot be reached.

`grpc` is the whole cost of starting this program, so only what makes a call imports it.
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

SECONDS_TO_ANSWER = 15.0
"""How long a single answer may take; the daemon itself gives MPD ten seconds."""


def default_socket() -> str:
    """Return where the daemon listens: `ANAGNORISIS_SOCKET`, else the first place that has it."""
    named = os.environ.get("ANAGNORISIS_SOCKET")
    if named:
        return named
    places = _places()
    return next(filter(os.path.exists, places), places[0])


def _places() -> list[str]:
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    own = [runtime, state] if os.path.isdir(runtime) else [state]
    folders = [*(f"{folder}/anagnorisis" for folder in own), "/run/anagnorisis"]
    return [f"{folder}/anagnorisisd.sock" for folder in folders]


def add_options(parser: ArgumentParser) -> None:
    """Add the options that say where the daemon is; those before a verb hold for it too."""
    for option, metavar, summary in (
        ("socket", "PATH", "socket of the daemon (default: $ANAGNORISIS_SOCKET, else as usual)"),
        ("address", "HOST:PORT", "a daemon on another machine ($ANAGNORISIS_ADDRESS)"),
        ("token-file", "PATH", "file that holds its token ($ANAGNORISIS_TOKEN_FILE)"),
        ("certificate", "PATH", "certificate to trust there ($ANAGNORISIS_CERTIFICATE)"),
    ):
        parser.add_argument(f"--{option}", metavar=metavar, default=SUPPRESS, help=summary)


@contextmanager
def connected(arguments: Namespace) -> "Iterator[grpc.Channel]":
    """Open a channel to the daemon, and turn what goes wrong on it into `Failed`."""
    import grpc

    place, opened = _opened(arguments)
    try:
        with opened as channel:
            yield channel
    except grpc.RpcError as error:
        raise _failed(error, place) from error


def _opened(arguments: Namespace) -> "tuple[str, grpc.Channel]":
    """Return where the daemon should be, and a channel to it; a socket that is named wins."""
    import grpc

    socket = getattr(arguments, "socket", None)
    address = _option(arguments, "address")
    if is_remote(arguments):
        assert address
        from anagnorisis import remote

        if not address.isprintable():  # nor are bytes that are no UTF-8
            raise Failed("the daemon's address is not HOST:PORT", USAGE)

        token_file, trusted = _option(arguments, "token_file"), _option(arguments, "certificate")
        return address, remote.channel(remote.Place(address, token_file, trusted))
    place = socket or default_socket()
    # A URI: in it `%` begins an escape, and paths may hold bytes that are no text.
    return place, grpc.insecure_channel(f"unix:{quote(os.fsencode(os.path.abspath(place)))}")


def is_remote(arguments: Namespace) -> bool:
    """Tell whether the daemon is reached over the network."""
    return bool(_option(arguments, "address") and not getattr(arguments, "socket", None))


def _option(arguments: Namespace, name: str) -> str | None:
    return getattr(arguments, name, None) or os.environ.get(f"ANAGNORISIS_{name.upper()}")


def _failed(error: "grpc.RpcError", place: str) -> Failed:
    import grpc

    assert isinstance(error, grpc.Call)
    code, text = error.code(), error.details() or ""
    told = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    if code is grpc.StatusCode.UNAVAILABLE:
        return Failed(text if told else _nobody(place), UNAVAILABLE)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Failed(f"the daemon on {place} did not answer in time", UNAVAILABLE)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Failed(text, USAGE)
    return Failed(text or code.name.lower())


def _nobody(place: str) -> str:
    return f"no daemon answers on {place}; start it with `anagnorisisd`, or name another --socket"
