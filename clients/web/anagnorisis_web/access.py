"""Who may send what: the Host and Origin headers, CSRF tokens, the headers of every response."""

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anagnorisis_web import sessions

CSRF = "csrf"
"""Name of the form field with the token."""
CSRF_HEADER = "x-csrf-token"
MAX_FORM_FIELDS = 64
MAX_FORM_BYTES = 64 * 1024
SECONDS_FOR_FORM = 15.0

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; media-src 'self'; manifest-src 'self'; worker-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

FormHandler = Callable[[Request, FormData], Awaitable[Response]]


class HostCheck:
    """Refuses requests that name another host, and requests from pages of another host.

    The first stops DNS rebinding: a name of an attacker that resolves to this computer. An address
    in digits cannot be rebound, so every address is accepted. The second stops forged requests from
    browsers; the session's token stops them again.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            refusal = PlainTextResponse(
                "This name of the computer is not known here; start anagnorisis-web with "
                "--name to allow it.\n",
                421,
            )
            await refusal(scope, receive, send)
            return
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            await PlainTextResponse("The request comes from another page.\n", 403)(
                scope, receive, send
            )
            return
        await self._app(scope, receive, _with_headers(send))

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if not name or "@" in host:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True


def host_names(configured: Collection[str]) -> set[str]:
    """Return the names of this computer: the usual ones, and those of the command line."""
    own = socket.gethostname().lower()
    return {"localhost", own, f"{own.split('.')[0]}.local", *configured}


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers


def form_route(path: str, handler: FormHandler) -> Route:
    """Return a route for a form; a request without the token of its session is refused.

    All routes for POST are made by this function. A form that is too large or comes too slowly is
    refused as well, whatever length it declares.
    """

    async def endpoint(request: Request) -> Response:
        bounded = Request(request.scope, _bounded(request.receive), request._send)
        try:
            async with asyncio.timeout(SECONDS_FOR_FORM):
                form = await bounded.form(max_files=0, max_fields=MAX_FORM_FIELDS)
        except TimeoutError:
            return _refusal("The form came too slowly.\n", 408)
        except _TooLarge:
            return _refusal("The form is too large.\n", 413)
        given = request.headers.get(CSRF_HEADER) or str(form.get(CSRF, ""))
        if not hmac.compare_digest(given.encode(), sessions.of(request).token.encode()):
            return PlainTextResponse("The page is too old; load it again.\n", 403)
        return await handler(request, form)

    return Route(path, endpoint, methods=["POST"], name=path)


class _TooLarge(Exception):
    """A form has more bytes than allowed."""


def _bounded(receive: Receive) -> Receive:
    """Return a function that receives as `receive` does, up to the limit of a form."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_FORM_BYTES:
            raise _TooLarge
        return message

    return receive_bounded


def _refusal(text: str, status_code: int) -> Response:
    """Return a response after which the connection is closed: the rest of the form is not read."""
    return PlainTextResponse(text, status_code, {"Connection": "close"})
