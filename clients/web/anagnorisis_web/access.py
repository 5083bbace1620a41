"""Who may send what: the Host and Origin headers, CSRF tokens, the headers of every response."""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF = "csrf"
"""Key of the session, and name of the form field."""
CSRF_HEADER = "x-csrf-token"
MAX_FORM_FIELDS = 64
MAX_FORM_BYTES = 64 * 1024

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


def csrf_token(request: Request) -> str:
    """Return the token of the session, which every form carries."""
    token: str = request.session.setdefault(CSRF, secrets.token_urlsafe(16))
    return token


def form_route(path: str, handler: FormHandler) -> Route:
    """Return a route for a form; a request without the token of its session is refused.

    All routes for POST are made by this function.
    """

    async def endpoint(request: Request) -> Response:
        if int(request.headers.get("content-length", "0")) > MAX_FORM_BYTES:
            return PlainTextResponse("The form is too large.\n", 413)
        expected = request.session.get(CSRF, "")
        async with request.form(max_files=0, max_fields=MAX_FORM_FIELDS) as form:
            given = request.headers.get(CSRF_HEADER) or str(form.get(CSRF, ""))
            if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
                return PlainTextResponse("The page is too old; load it again.\n", 403)
            return await handler(request, form)

    return Route(path, endpoint, methods=["POST"], name=path)
