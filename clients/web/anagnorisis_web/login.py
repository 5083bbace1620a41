"""Login by passphrase: the page that asks for it, and how often it may be tried."""

import asyncio
import ipaddress
import time
from collections.abc import Callable

from starlette.datastructures import FormData, Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from anagnorisis_web import access, sessions
from anagnorisis_web.pages import FRAGMENT_HEADER, Pages
from anagnorisis_web.passphrase import MAX_LENGTH, Passphrase

TRIES = 5
WINDOW_SECONDS = 300.0
MAX_ADDRESSES = 1000
"""Addresses whose wrong passphrases are counted; beyond that, all others count as one."""

OPEN_PATHS = ("/login", "/manifest.webmanifest")
OPEN_FOLDER = "/static/"
IPV6_NETWORK_BITS = 64


class Throttle:
    """Counts wrong passphrases by client address. Times are in seconds, of any clock."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[float]] = {}

    def seconds_to_wait(self, address: str, now: float) -> float:
        """Return how long this address has to wait before it may try again; 0 if it need not."""
        tries = self._wrong.get(self._key(address), [])
        return max(0.0, tries[-TRIES] + WINDOW_SECONDS - now) if len(tries) >= TRIES else 0.0

    def add(self, address: str, now: float) -> None:
        """Count a wrong passphrase."""
        self._wrong = {
            known: tries for known, tries in self._wrong.items() if tries[-1] > now - WINDOW_SECONDS
        }
        tries = self._wrong.setdefault(self._key(address), [])
        tries.append(now)
        del tries[:-TRIES]

    def _key(self, address: str) -> str:
        return address if address in self._wrong or len(self._wrong) < MAX_ADDRESSES else "others"


class LoginRequired:
    """Sends requests without a login to the login page."""

    def __init__(self, app: ASGIApp, *, required: bool) -> None:
        self._app = app
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request, or ask for the passphrase."""
        app = self._app
        if self._required and scope["type"] == "http" and not _is_open(scope["path"]):
            session: sessions.Session = scope[sessions.SCOPE_KEY]
            if not session.logged_in:
                app = _refusal(scope)
        await app(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _refusal(scope: Scope) -> Response:
    """Return the login page for a page, and an error for what a script asks for."""
    by_script = FRAGMENT_HEADER in Headers(scope=scope) or scope["path"] == "/events"
    if scope["method"] == "GET" and not by_script:
        return RedirectResponse("/login", 303)
    return PlainTextResponse("Log in first.\n", 401)


def _network(address: str) -> str:
    """Return the address, or the network of an IPv6 address: a computer has all addresses of it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped:
        return str(found)
    return str(ipaddress.ip_network((found, IPV6_NETWORK_BITS), strict=False))


def routes(
    pages: Pages, passphrase: Passphrase, logins: sessions.Logins, ended: Callable[[], None]
) -> list[Route]:
    """Return the routes of login and logout; `ended` is called after a logout."""
    throttle = Throttle()
    one_at_a_time = asyncio.Lock()

    async def show(request: Request) -> Response:
        return pages.respond(request, "login.html", {"problem": ""})

    async def log_in(request: Request, form: FormData) -> Response:
        texts = pages.texts(request)
        address = _network(request.client.host if request.client else "")
        async with one_at_a_time:  # a hash takes 32 MB
            if wait := throttle.seconds_to_wait(address, time.monotonic()):
                problem = texts("login.wait", count=round(wait / 60) or 1)
                response = pages.respond(request, "login.html", {"problem": problem}, 429)
                response.headers["Retry-After"] = str(int(wait) + 1)
                return response
            given = str(form.get("passphrase", ""))[:MAX_LENGTH]
            if not await asyncio.to_thread(passphrase.matches, given):
                throttle.add(address, time.monotonic())
                return pages.respond(request, "login.html", {"problem": texts("login.wrong")}, 403)
            session = sessions.of(request)
            session.renew()
            await asyncio.to_thread(logins.add, session.id)
        return RedirectResponse("/", 303)

    async def log_out(request: Request, form: FormData) -> Response:
        session = sessions.of(request)
        async with one_at_a_time:
            await asyncio.to_thread(logins.remove, session.id)
        request.session.clear()
        session.renew()
        ended()
        return RedirectResponse("/login", 303)

    return [
        Route("/login", show, methods=["GET"], name="login"),
        access.form_route("/login", log_in),
        access.form_route("/logout", log_out),
    ]
