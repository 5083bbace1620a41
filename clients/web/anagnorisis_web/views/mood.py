"""Steering by forms: which music is wanted now, and for how long."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis.v1 import pick_pb2 as picks
from anagnorisis.v1.library_pb2 import ListSoundTagsRequest
from anagnorisis.v1.track_pb2 import CurrentSong, Target
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages, redirect_back

STEERING_TIMEOUT_SECONDS = 120.0
"""Of the first request: all vectors of a large library are compared with a track."""
TAGS_SECONDS = 60.0
"""How long the list of sound tags is kept; it is computed from the whole library."""
ENERGIES = {"calm": 0.0, "medium": 0.5, "lively": 1.0}
LENGTHS: dict[str, dict[str, Any]] = {
    "30m": {"seconds": 30 * 60},
    "1h": {"seconds": 60 * 60},
    "2h": {"seconds": 2 * 60 * 60},
    "4h": {"seconds": 4 * 60 * 60},
    "10songs": {"songs": 10},
}


class SoundTags:
    """The names of the sound tags of the library, those of the most tracks first."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._names: list[str] = []
        self._read_at = float("-inf")

    async def names(self) -> list[str]:
        """Return the names; none if the embedder computes none."""
        if time.monotonic() > self._read_at + TAGS_SECONDS:
            try:
                answer = await self._daemon.library.ListSoundTags(
                    ListSoundTagsRequest(), timeout=TIMEOUT_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
                return []
            tags = sorted(answer.sound_tags, key=lambda tag: -tag.tracks)
            self._names = [tag.name for tag in tags if tag.tracks]
            self._read_at = time.monotonic()
        return self._names


def end_time(steering: picks.Steering) -> str:
    """Return when the steering ends, in local time; without the day if that is today."""
    end = time.localtime(steering.ends_at.seconds)
    today = end[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", end)


def chosen_wishes(steering: picks.Steering) -> dict[str, Any]:
    """Return what of the form is chosen now."""
    wishes = [active.wish for active in steering.wishes]
    energies = [wish.energy for wish in wishes if wish.HasField("energy")]
    return {
        "want": [wish.tag for wish in wishes if wish.HasField("tag")],
        "avoid": [wish.unwanted_tag for wish in wishes if wish.HasField("unwanted_tag")],
        "like": [
            (active.wish.like_track.track_id, active.text)
            for active in steering.wishes
            if active.wish.HasField("like_track")
        ],
        "energy": next(
            (name for name, energy in ENERGIES.items() if energies and energy == energies[0]), ""
        ),
    }


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the route of the form."""

    async def steer(request: Request, form: FormData) -> Response:
        texts = pages.texts(request)
        wishes = list(_wishes(form))
        if not wishes and form.get("off") is None:
            return redirect_back(request, form, texts("mood.choose"))
        wanted = picks.SetSteeringRequest(
            wishes=wishes, **LENGTHS.get(str(form.get("length", "")), {}) if wishes else {}
        )
        answer = await daemon.picks.SetSteering(wanted, timeout=STEERING_TIMEOUT_SECONDS)
        problems = [wish.problem for wish in answer.steering.wishes if wish.problem]
        if problems:
            return redirect_back(request, form, texts("mood.problem", problem=problems[0]))
        if not answer.HasField("steering"):
            return redirect_back(request, form, texts("mood.ended"))
        return redirect_back(request, form, texts("mood.set"))

    return [form_route("/mood", steer)]


def _wishes(form: FormData) -> Iterator[picks.Wish]:
    """Yield the wishes of the form; none if the steering is to end."""
    if form.get("off") is not None:
        return
    for name in form.getlist("want"):
        yield picks.Wish(tag=str(name))
    for name in form.getlist("avoid"):
        yield picks.Wish(unwanted_tag=str(name))
    for track_id in form.getlist("like"):
        current = Target(current=CurrentSong())
        named = Target(track_id=str(track_id))
        yield picks.Wish(like_track=current if track_id == "current" else named)
    energy = ENERGIES.get(str(form.get("energy", "")))
    if energy is not None:
        yield picks.Wish(energy=energy)
