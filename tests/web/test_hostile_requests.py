"""Requests that are too large, too slow, or no requests at all: refused, and the page goes on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from anagnorisis_web import access, http_protocol, sessions
from tests.support.web_page import csrf_token, serving


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, without a daemon."""
    folder: Path = tmp_path_factory.mktemp("requests")
    with serving(folder / "web", folder / "absent.sock") as served:
        yield served


def answer(url: str, request: bytes) -> bytes:
    """Send bytes, and return the first line of the answer."""
    place = urlsplit(url)
    assert place.hostname
    assert place.port
    with closing(socket.create_connection((place.hostname, place.port), 60)) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline()


def head(*lines: str) -> bytes:
    return "\r\n".join(("POST /undo HTTP/1.1", "Host: localhost", *lines, "", "")).encode()


FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head(FORM, "Transfer-Encoding: chunked") + b"10100\r\n" + b"a" * 0x10100, b"413"),
        (head(FORM, "Content-Length: 1048576") + b"a" * 0x10100, b"413"),
        (head(FORM, "Content-Length: -1"), b"400"),
        (head(FORM, "Content-Length: x"), b"400"),
        (head(FORM, "Content-Length: 5", "Content-Length: 6") + b"a=b&c=d", b"400"),
        (head(FORM, "Transfer-Encoding: chunked") + b"no number\r\n", b"400"),
        (head("Content-Type: multipart/form-data", "Content-Length: 3") + b"a=b", b"400"),
        (
            head("Content-Type: multipart/form-data; boundary=x", "Content-Length: 3") + b"a=b",
            b"400",
        ),
        (head("Content-Type: text/plain", "Content-Length: 3") + b"a=b", b"403"),
        (head(FORM, "Content-Length: 6") + b"\xff=%ff&", b"403"),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(
    url: str, request_: bytes, status: bytes
) -> None:
    assert answer(url, request_).split()[1] == status
    assert httpx.get(f"{url}/manifest.webmanifest").status_code == 200


def test_a_form_with_too_many_fields_or_a_file_is_refused(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as visitor:
        token = csrf_token(visitor.get("/"))
        many = {"csrf": token} | {f"f{number}": "" for number in range(5000)}
        assert visitor.post("/undo", data=many).status_code == 400
        file = {"csrf": ("name", token)}
        assert visitor.post("/undo", files=file).status_code == 400
        # With the token, and otherwise right, it gets as far as the daemon, which is absent.
        assert visitor.post("/undo", data={"csrf": token}).status_code == 503


async def test_a_form_that_comes_too_slowly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SECONDS_FOR_FORM", 0.01)

    async def nothing(_request: Request, _form: object) -> Response:
        raise AssertionError("an incomplete form was handled")

    async def receive() -> Message:
        return await asyncio.Future()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/x", "headers": [kind]}
    scope[sessions.SCOPE_KEY] = sessions.Session("x", b"key", logged_in=False)
    await access.form_route("/x", nothing)(scope, receive, send)

    assert sent[0]["status"] == 408


@pytest.fixture
async def impatient(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A server that waits for requests briefly; its only page answers when the event is set."""
    monkeypatch.setattr(http_protocol, "SECONDS_FOR_HEADERS", 0.05)
    go_on = asyncio.Event()

    async def respond(_request: Request) -> Response:
        await go_on.wait()
        return PlainTextResponse("done")

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=[Route("/", respond)]),
        http=http_protocol.TimedProtocol, ws="none", lifespan="off", log_config=None,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving_it = asyncio.create_task(server._serve([listener]))
    yield listener.getsockname()[1], go_on
    server.should_exit = True
    await serving_it


async def test_connections_without_a_whole_request_are_closed(
    impatient: tuple[int, asyncio.Event],
) -> None:
    """And a request whose answer takes longer than that is not."""
    port, go_on = impatient
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as visitor:
        waiting = asyncio.create_task(visitor.get("/"))
        for begun in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            assert await reader.read() == b""
            writer.close()
        go_on.set()
        assert (await waiting).text == "done"
