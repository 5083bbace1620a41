"""Entry point of the command `anagnorisis-web`: arguments, and the HTTP server."""

import argparse
import asyncio
import ipaddress
import os
import secrets
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from anagnorisis import VERSION, atomic_write, connection
from anagnorisis.errors import UNAVAILABLE, USAGE, Failed, one_line
from anagnorisis.process import open_standard_files

DESCRIPTION = "Serve a web page that rates, shows and steers the music."
DEFAULT_ADDRESS = "127.0.0.1:6610"
EPILOG = (
    f"Without options the page is at http://{DEFAULT_ADDRESS}/, for this computer only. For phones "
    "in the home network, set a passphrase with --set-passphrase, then start it with --listen "
    "0.0.0.0:6610."
)
INTERRUPTED = 130
SECRET_BYTES = 32
SECONDS_TO_FINISH = 3
MAX_CONNECTIONS = 400
"""At once; beyond that, requests are refused."""
MISSING = "the web page needs more packages; install them with: pip install 'anagnorisis[web]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    open_standard_files()
    parsed = parser().parse_args(arguments)
    try:
        if parsed.set_passphrase:
            from anagnorisis_web import passphrase

            passphrase.ask_and_store()
        else:
            asyncio.run(_serve(parsed))
    except Failed as failure:
        print(f"anagnorisis-web: {one_line(str(failure))}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser("anagnorisis-web", description=DESCRIPTION, epilog=EPILOG)
    made.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    made.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=DEFAULT_ADDRESS,
        help=f"where to serve the page (default: {DEFAULT_ADDRESS}, this computer only); "
        "another address needs a passphrase",
    )
    made.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        default=[],
        help="another host name under which browsers may ask for the page; can be given repeatedly",
    )
    made.add_argument(
        "--set-passphrase", action="store_true", help="ask for the passphrase, store it, and exit"
    )
    made.add_argument(
        "--tls-certificate", metavar="PATH", help="serve HTTPS with this certificate chain"
    )
    made.add_argument("--tls-key", metavar="PATH", help="and this private key")
    connection.add_options(made)
    return made


async def _serve(arguments: argparse.Namespace) -> None:
    try:
        import uvicorn

        from anagnorisis_web import app, daemon, passphrase, sessions
        from anagnorisis_web.http_protocol import TimedProtocol
    except ModuleNotFoundError as error:
        raise Failed(f"{MISSING} ({error.name} is missing)", UNAVAILABLE) from error
    host, port = _address(arguments.listen)
    hashed = passphrase.load()
    if hashed is None and not _is_loopback(host):
        raise Failed(
            f"{arguments.listen} can be reached by others, so a passphrase is needed; set one "
            "with: anagnorisis-web --set-passphrase",
            USAGE,
        )
    secure = _tls_is_wanted(arguments)
    state = _state_directory()
    logins = sessions.Logins(state / "logins.json", hashed.generation) if hashed else None
    settings = app.Settings(arguments.name, _secret(state / "secret"), hashed, logins, secure)
    listener = _listen(host, port)
    address = f"[{host}]" if ":" in host else host
    print(
        f"Page: {'https' if secure else 'http'}://{address}:{listener.getsockname()[1]}/",
        flush=True,
    )
    config = uvicorn.Config(
        app.build(daemon.connect(arguments), settings),
        ssl_certfile=arguments.tls_certificate,
        ssl_keyfile=arguments.tls_key,
        log_level="warning",
        access_log=False,
        http=TimedProtocol,
        ws="none",
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(place[:2], family=family, dualstack_ipv6=both)
    except OSError as error:
        raise Failed(f"cannot serve on {host}:{port}: {error.strerror}") from error


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise Failed(f"--listen {text!r} is not HOST:PORT, such as {DEFAULT_ADDRESS}", USAGE)
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls_is_wanted(arguments: argparse.Namespace) -> bool:
    certificate, key = arguments.tls_certificate, arguments.tls_key
    if (certificate is None) != (key is None):
        raise Failed("--tls-certificate and --tls-key belong together", USAGE)
    if certificate is None:
        return False
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise Failed(f"{certificate} and {key} cannot be used: {error}", USAGE) from error
    return True


def _state_directory() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base, "anagnorisis-web")


def _secret(path: Path) -> str:
    """Return the key of the tokens in forms; it is made once, so that open pages stay usable."""
    try:
        secret = path.read_text().strip()
        if len(secret) >= SECRET_BYTES:
            return secret
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path} cannot be read: {error}") from error
    secret = secrets.token_urlsafe(SECRET_BYTES)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write.write(str(path), [secret.encode()])
    return secret


def run() -> NoReturn:
    """Run the command `anagnorisis-web` and exit."""
    sys.exit(main())


if __name__ == "__main__":
    run()
