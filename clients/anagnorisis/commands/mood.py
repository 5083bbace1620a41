"""Command `mood`: show, set and end the steering of picks."""

import math
import random
import re
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from statistics import fmean

from anagnorisis import text
from anagnorisis.commands.picks import mean_fit, show_picks
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.errors import USAGE, Failed
from anagnorisis.output import show_json, show_table
from anagnorisis.requests import target
from anagnorisis.v1 import pick_pb2 as messages
from anagnorisis.v1.pick_pb2_grpc import PickServiceStub

SHOWN_PICKS = 10
STEERING_TIMEOUT_SECONDS = 120.0
"""Timeout of the first request: all vectors of a large library are compared with a seed."""

LENGTH = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+)m(?:in)?)?")
SONGS = re.compile(r"(\d{1,5})\s*songs?")
TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d)")
DECADE = re.compile(r"(\d|\d{3})0s")
ENERGY = {"calm": 0.0, "lively": 1.0}
LAST_TWENTIETH_CENTURY_DECADE = "3"
"""Decades of two digits from this one on are of the 1900s."""


NAMED: dict[str, Callable[[str], messages.Wish]] = {
    "not": lambda name: messages.Wish(unwanted_tag=name),
    "like": lambda name: messages.Wish(like_track=target(name)),
    "artist": lambda name: messages.Wish(like_artist=name),
    "album": lambda name: messages.Wish(like_album=name),
    "folder": lambda name: messages.Wish(folder=name),
}
"""Wishes of the form `kind:name`."""


def mood(arguments: Namespace) -> None:
    """Show the steering with the next picks, or set or end it."""
    with connected(arguments) as channel:
        stub = PickServiceStub(channel)
        answer: messages.GetSteeringResponse | messages.SetSteeringResponse
        if not arguments.wishes:
            if arguments.length or arguments.until or arguments.strength is not None:
                raise Failed("name what to hear, for example: mood chillout --for 2h", USAGE)
            answer = stub.GetSteering(
                messages.GetSteeringRequest(), timeout=STEERING_TIMEOUT_SECONDS
            )
        else:
            answer = stub.SetSteering(_request(arguments), timeout=STEERING_TIMEOUT_SECONDS)
        if arguments.json:
            show_json(answer)
            return
        if not answer.HasField("steering"):
            print("mood is off")
            return
        _show_steering(answer.steering)
        _show_effect(stub)


def _show_effect(stub: PickServiceStub) -> None:
    """Show the next picks, and those that the same random numbers give without the mood."""
    seed = random.getrandbits(32)
    steered, unsteered = (
        stub.PreviewPicks(
            messages.PreviewPicksRequest(count=SHOWN_PICKS, seed=seed, unsteered=without),
            timeout=SECONDS_TO_ANSWER,
        ).picks
        for without in (False, True)
    )
    if not steered:
        print("there are no picks now; `anagnorisis` says why")
        return
    print("the next picks would be, for example:")
    show_picks(steered)
    if not any(pick.explanation.wish_fits for pick in steered):  # No wish has an effect.
        return
    print("and without the mood:")
    show_table(
        ("FIT", "TRACK"),
        [
            (
                f"{mean_fit(pick.explanation):.0%}",
                f"{text.name(pick.track)}, {text.rating(pick.track)}",
            )
            for pick in unsteered
        ],
    )
    (fit, rating), (other_fit, other_rating) = map(_means, (steered, unsteered))
    print(
        f"on average these picks fit better than {fit:.0%} of the library, "
        f"without the mood {other_fit:.0%};"
    )
    print(
        f"their mean rating, own or predicted, is {rating:.1f}, without the mood {other_rating:.1f}"
    )


def _means(picks: Sequence[messages.Pick]) -> tuple[float, float]:
    """Return the mean fit, 0 to 1, and the mean rating."""
    factors = [pick.explanation for pick in picks]
    return fmean(map(mean_fit, factors)), fmean(each.rating for each in factors)


def _show_steering(steering: messages.Steering) -> None:
    print(f"mood: {text.steering_text(steering)}")
    for wish in steering.wishes:
        if wish.problem:
            print(f"  {text.printable(wish.text)}: {text.printable(wish.problem)}")


def _request(arguments: Namespace) -> messages.SetSteeringRequest:
    if arguments.wishes == ["off"]:
        return messages.SetSteeringRequest()
    request = messages.SetSteeringRequest(
        wishes=_wishes(arguments.wishes), strength=arguments.strength
    )
    if arguments.length and arguments.until:
        raise Failed("give either --for or --until", USAGE)
    if arguments.length:
        _set_length(request, arguments.length)
    if arguments.until:
        request.ends_at.FromSeconds(round(next_time(arguments.until, time.time())))
    return request


def _wishes(words: Sequence[str]) -> list[messages.Wish]:
    return [_wish(word) for word in words]


def _wish(word: str) -> messages.Wish:
    kind, _, name = word.partition(":")
    if kind in NAMED and name:
        return NAMED[kind](name)
    if word == "like":
        return messages.Wish(like_track=target(None))
    if word in ENERGY:
        return messages.Wish(energy=ENERGY[word])
    decade = DECADE.fullmatch(word)
    if decade is not None:
        return messages.Wish(decade=_year(decade[1]))
    return messages.Wish(tag=word)


def _year(digits: str) -> int:
    """Return the first year of a decade: 1980 for `8`, 198; 2010 for `1`, `201`."""
    if len(digits) == 3:
        return int(digits) * 10
    century = "19" if digits >= LAST_TWENTIETH_CENTURY_DECADE else "20"
    return int(f"{century}{digits}0")


def _set_length(request: messages.SetSteeringRequest, length: str) -> None:
    songs = SONGS.fullmatch(length)
    if songs is not None:
        request.songs = int(songs[1])
        return
    found = LENGTH.fullmatch(length)
    seconds = 0.0
    if found is not None:
        seconds = float(found[1] or 0) * 3600 + float(found[2] or 0) * 60
    if not seconds or not math.isfinite(seconds):
        raise Failed(f"--for: {length!r} is not a length such as 2h, 30m or 10songs", USAGE)
    request.seconds = seconds


def next_time(clock: str, now: float) -> float:
    """Return the next moment of a time of day, in local time, as unix seconds."""
    found = TIME_OF_DAY.fullmatch(clock)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise Failed(f"--until: {clock!r} is not a time of day such as 23:00", USAGE)
    today = time.localtime(now)
    for day in (0, 1):
        moment = time.mktime(
            (
                today.tm_year,
                today.tm_mon,
                today.tm_mday + day,
                int(found[1]),
                int(found[2]),
                0,
                0,
                0,
                -1,
            )
        )
        if moment > now:
            return moment
    raise AssertionError("a time of day comes again within a day")
