"""Sessions of browsers: a random id in a cookie, and which of them are logged in.

The cookie is written when a session begins, at login and at logout, and never else, so that
responses that overtake each other cannot bring an older state back. Everything else is kept here.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anagnorisis import atomic_write
from anagnorisis.errors import Failed

SECONDS = 90 * 86_400
"""How long a cookie and a login are kept."""
MAX_LOGINS = 1000
"""Beyond that, the oldest login ends."""
ID = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_MESSAGES = 256
MAX_SESSIONS = 1000
"""Sessions whose values are kept; beyond that, those not used for longest are forgotten."""
SCOPE_KEY = "anagnorisis_session"


class Session:
    """The session of a request."""

    def __init__(self, identifier: str, key: bytes, *, logged_in: bool) -> None:
        self.id = identifier
        self.logged_in = logged_in
        self.is_new = False
        self.send_cookie = False
        self._key = key

    @property
    def token(self) -> str:
        """Return the token that forms carry; it cannot be computed from the cookie alone."""
        return hmac.new(self._key, self.id.encode(), hashlib.sha256).hexdigest()

    def renew(self) -> None:
        """Begin a new session: others may know the id of this one."""
        self.id, self.send_cookie = new_id(), True


def new_id() -> str:
    """Return an id that cannot be guessed."""
    return secrets.token_urlsafe(32)


class Logins:
    """The sessions that are logged in, by a hash of their id, in a file that survives restarts.

    They belong to one passphrase, of which `generation` stands for: another one ends them all.
    """

    def __init__(self, path: Path, generation: str) -> None:
        self._path = path
        self._generation = generation
        self._expiry = self._load()

    def has(self, identifier: str) -> bool:
        """Return whether a session is logged in."""
        return self._expiry.get(_hash(identifier), 0) > time.time()

    def add(self, identifier: str) -> None:
        """Log a session in.

        Raises:
            Failed: the file cannot be written.
        """
        now = time.time()
        kept = sorted(
            (each for each in self._expiry.items() if each[1] > now), key=lambda each: each[1]
        )
        self._expiry = dict(kept[-MAX_LOGINS + 1 :]) | {_hash(identifier): now + SECONDS}
        self._store()

    def remove(self, identifier: str) -> None:
        """Log a session out.

        Raises:
            Failed: the file cannot be written.
        """
        if self._expiry.pop(_hash(identifier), None) is not None:
            self._store()

    def _load(self) -> dict[str, float]:
        try:
            stored = json.loads(self._path.read_text())
            if stored["generation"] == self._generation:
                return {str(each): float(end) for each, end in stored["logins"].items()}
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Failed(f"{self._path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # a damaged file: everybody logs in again
        return {}

    def _store(self) -> None:
        content = json.dumps({"generation": self._generation, "logins": self._expiry})
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write.write(str(self._path), [content.encode()])


def _hash(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()


class Messages:
    """What pages have to tell after a form was sent, each once: the next URL has the key."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def put(self, text: str) -> str:
        """Keep a message and return its key."""
        while len(self._texts) >= MAX_MESSAGES:
            del self._texts[next(iter(self._texts))]
        key = secrets.token_urlsafe(12)
        self._texts[key] = text
        return key

    def take(self, key: str) -> str:
        """Return a message and forget it; empty if there is none."""
        return self._texts.pop(key, "")


class SessionCookie:
    """Gives each request its session, from the cookie or a new one.

    `Request.session` is a dictionary that is kept here until a restart.
    """

    def __init__(self, app: ASGIApp, key: bytes, logins: Logins | None, *, secure: bool) -> None:
        self._app = app
        self._key = key
        self._logins = logins
        self._values: dict[str, dict[str, Any]] = {}
        self._secure = secure
        # With the prefix, a browser takes the cookie from nobody but this host by HTTPS.
        self._name = "__Host-anagnorisis" if secure else "anagnorisis"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = HTTPConnection(scope).cookies.get(self._name, "")
        known = ID.fullmatch(identifier) is not None
        logged_in = known and self._logins is not None and self._logins.has(identifier)
        session = Session(identifier if known else new_id(), self._key, logged_in=logged_in)
        session.is_new = not known
        scope[SCOPE_KEY] = session
        scope["session"] = values = self._values.get(identifier, {})

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and session.send_cookie:
                MutableHeaders(scope=message).append("Set-Cookie", self._cookie(session.id))
            await send(message)

        try:
            await self._app(scope, receive, send_with_cookie)
        finally:
            self._keep(identifier, session.id, values)

    def _keep(self, before: str, after: str, values: dict[str, Any]) -> None:
        if after != before:
            self._values.pop(before, None)
        if values:
            self._values.pop(after, None)
            self._values[after] = values
            while len(self._values) > MAX_SESSIONS:
                del self._values[next(iter(self._values))]

    def _cookie(self, identifier: str) -> str:
        flags = "; HttpOnly; SameSite=Strict" + ("; Secure" if self._secure else "")
        return f"{self._name}={identifier}; Path=/; Max-Age={SECONDS}{flags}"


def of(request: Request) -> Session:
    """Return the session of a request."""
    session: Session = request.scope[SCOPE_KEY]
    return session


def form_token(request: Request) -> str:
    """Return the token for the forms of a page, and let the browser keep the session."""
    session = of(request)
    if session.is_new:
        session.send_cookie = True
    return session.token


def messages(request: Request) -> Messages:
    """Return the messages of the application."""
    found: Any = request.app.state.messages
    assert isinstance(found, Messages)
    return found
