"""The page Library: search, filters, rating in place, and the update of the library."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis.v1 import library_pb2 as library
from anagnorisis.v1.daemon_pb2 import GetStatusRequest
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.live import LiveEvents
from anagnorisis_web.pages import Pages, fragment, redirect_back
from anagnorisis_web.scan import LibraryScan

PAGE_SIZE = 50
STATUS_SECONDS = 5.0

FILTERS = {
    "all": library.TRACK_FILTER_UNSPECIFIED,
    "unrated": library.TRACK_FILTER_UNRATED,
    "best": library.TRACK_FILTER_UNRATED,
    "rated": library.TRACK_FILTER_RATED,
    "pending": library.TRACK_FILTER_PENDING,
    "failed": library.TRACK_FILTER_FAILED,
    "missing": library.TRACK_FILTER_MISSING,
}
UNUSABLE = "unusable"
"""Shows files instead of tracks."""
ORDERS = {
    "added": library.TRACK_ORDER_ADDED,
    "rating": library.TRACK_ORDER_RATING,
    "predicted": library.TRACK_ORDER_PREDICTED_RATING,
    "played": library.TRACK_ORDER_LAST_PLAYED,
}
ONE_ORDER = {"best": "predicted"}
"""Filters that have an order of their own."""


def routes(daemon: Daemon, pages: Pages, events: LiveEvents) -> list[Route]:
    """Return the routes of this page."""
    scan = LibraryScan(daemon, events)
    status = _Status(daemon)

    async def show(request: Request) -> Response:
        chosen = _chosen(request)
        wanted = fragment(request)
        context: dict[str, Any] = {"chosen": chosen, "scan": scan, "link": _link}
        parts = []
        if wanted in ("", "filters", "scan"):
            parts.append(status.read(events.position))
        if wanted in ("", "results"):
            parts.append(_results(daemon, chosen))
        for part in await asyncio.gather(*parts):
            context |= part
        return pages.respond(request, "library.html", context)

    async def sounds(request: Request) -> Response:
        call = daemon.library.ListSoundTags(library.ListSoundTagsRequest(), timeout=TIMEOUT_SECONDS)
        answer, reason = await daemon.answer_or_reason(call)
        tags = [tag for tag in answer.sound_tags if tag.tracks] if answer else []
        return pages.respond(request, "sounds.html", {"tags": tags, "reason": reason})

    async def update(request: Request, form: FormData) -> Response:
        scan.start()
        return redirect_back(request, form)

    async def retry(request: Request, form: FormData) -> Response:
        answer = await daemon.library.RetryEmbeddings(
            library.RetryEmbeddingsRequest(), timeout=TIMEOUT_SECONDS
        )
        message = pages.texts(request)("library.retried", count=answer.count)
        return redirect_back(request, form, message)

    return [
        Route("/library", show),
        Route("/library/sounds", sounds),
        form_route("/library/update", update),
        form_route("/library/retry", retry),
    ]


def _chosen(request: Request) -> dict[str, str]:
    """Return what the query asks for; what it does not know is replaced by the default."""
    query = request.query_params
    show, sort = query.get("show", ""), query.get("sort", "")
    return {
        "show": show if show in FILTERS or show == UNUSABLE else "all",
        "sort": sort if sort in ORDERS else "added",
        "q": query.get("q", "").strip(),
        "sound": query.get("sound", ""),
        "page": query.get("page", ""),
    }


def _link(chosen: Mapping[str, str], **changes: str) -> str:
    """Return the URL of the list with some choices changed; another list begins at its start."""
    values = {**chosen, "page": "", **changes}
    defaults = {"show": "all", "sort": "added"}
    query = urlencode(
        {key: value for key, value in values.items() if value and value != defaults.get(key)}
    )
    return f"/library?{query}" if query else "/library"


class _Status:
    """Numbers of tracks, read again after each event: counting takes long in a large library."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._position = ""
        self._read_at = 0.0
        self._values: Mapping[str, Any] = {}

    async def read(self, position: str) -> Mapping[str, Any]:
        """Return the numbers; `position` identifies the last event."""
        now = time.monotonic()
        if position != self._position or now > self._read_at + STATUS_SECONDS:
            status = await self._daemon.daemon.GetStatus(
                GetStatusRequest(), timeout=TIMEOUT_SECONDS
            )
            self._position, self._read_at = position, now
            self._values = {"counts": status.library, "embedding": status.embedding}
        return self._values


async def _results(daemon: Daemon, chosen: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the page of tracks, or of unusable files, and the token of the next page."""
    if chosen["show"] == UNUSABLE:
        unusable = await daemon.library.ListUnusableFiles(
            library.ListUnusableFilesRequest(page_size=PAGE_SIZE, page_token=chosen["page"]),
            timeout=TIMEOUT_SECONDS,
        )
        return {"tracks": [], "files": unusable.files, "next_page": unusable.next_page_token}
    listed = await daemon.library.ListTracks(
        library.ListTracksRequest(
            filter=FILTERS[chosen["show"]],
            order=ORDERS[ONE_ORDER.get(chosen["show"], chosen["sort"])],
            text=chosen["q"],
            sound_tag=chosen["sound"],
            page_size=PAGE_SIZE,
            page_token=chosen["page"],
        ),
        timeout=TIMEOUT_SECONDS,
    )
    return {"tracks": listed.tracks, "files": [], "next_page": listed.next_page_token}
