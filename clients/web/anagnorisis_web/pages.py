"""Rendering of pages, and of parts of them, with Jinja2."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from anagnorisis import text
from anagnorisis.v1.track_pb2 import TRACK_STATE_MISSING
from anagnorisis_web import sessions, texts

FRAGMENT_HEADER = "x-fragment"
"""Names the block of the template that is wanted instead of the whole page."""
MESSAGE_HEADER = "x-message"
"""What a fragment has to tell the listener, percent-encoded."""
MESSAGE = "message"
"""Parameter of the URL: the key of a message that the page shows."""


class Pages:
    """The templates, and what all of them know."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("anagnorisis_web"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,  # an upgrade of the files must not mix with the running program
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            t=texts.translate, static=static_url, MISSING=TRACK_STATE_MISSING
        )
        self._environment.filters.update(
            number=text.number,
            duration=text.clock,
            when=text.when,
            name=text.name,
            printable=text.printable,
        )
        self._texts = {language: texts.Texts(language) for language in texts.LANGUAGES}

    def texts(self, request: Request) -> texts.Texts:
        """Return the texts in the first language of the request that there is a catalog for."""
        accepted = request.headers.get("accept-language", "")
        for part in accepted.split(","):
            language = part.split(";")[0].strip().split("-")[0].lower()
            if language in self._texts:
                return self._texts[language]
        return self._texts[texts.LANGUAGES[0]]

    def respond(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        status_code: int = 200,
    ) -> Response:
        """Render a page or, if the request names a block of it, that block alone."""
        values = {
            **context,
            "request": request,
            "texts": self.texts(request),
            "csrf_token": sessions.form_token(request),
            "logged_in": sessions.of(request).logged_in,
            "here": _here(request),
            "position": getattr(request.state, "position", ""),
            "message": sessions.messages(request).take(request.query_params.get(MESSAGE, "")),
        }
        page = self._environment.get_template(template)
        block = page.blocks.get(fragment(request))
        if block is None:
            return HTMLResponse(page.render(values), status_code)
        content = "".join(block(page.new_context(values)))
        headers = {MESSAGE_HEADER: quote(values["message"])} if values["message"] else {}
        return HTMLResponse(content, status_code, headers)


def fragment(request: Request) -> str:
    """Return the name of the block that the request wants; empty if it wants the whole page."""
    return request.headers.get(FRAGMENT_HEADER, "")


def redirect_back(request: Request, form: FormData, message: str = "") -> Response:
    """Return to the page that the form was on; the page shows `message`.

    A script follows the redirection with the same headers, and so receives the fragment.
    """
    back = str(form.get("back", "/"))
    # A browser takes `//host` and `/\host` for another host.
    local = back.startswith("/") and back[1:2] not in ("/", "\\") and back.isprintable()
    url = quote(back, "/?&=%+~") if local else "/"
    return redirect(request, url, message)


def redirect(request: Request, url: str, message: str = "") -> Response:
    """Go to a page, which shows `message`."""
    if message:
        key = sessions.messages(request).put(message)
        url += f"{'&' if '?' in url else '?'}{MESSAGE}={key}"
    return RedirectResponse(url, 303)


def _here(request: Request) -> str:
    """Return the path and query of the page, without the message of a form."""
    parameters = [each for each in request.query_params.multi_items() if each[0] != MESSAGE]
    return request.url.path + (f"?{urlencode(parameters)}" if parameters else "")


@cache
def static_version() -> str:
    """Return a hash of all static files. In the URL it lets browsers keep them for ever.

    It is a part of the path, so that a script that imports another gets the same version of it.
    """
    content = hashlib.sha256()
    for file in sorted(files("anagnorisis_web").joinpath("static").iterdir(), key=str):
        content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the URL of a static file; it changes with the content of any."""
    return f"/static/{static_version()}/{name}"
