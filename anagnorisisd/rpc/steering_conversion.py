"""Conversion of wishes and steering between protobuf messages and domain objects."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from anagnorisis.v1 import pick_pb2 as messages
from anagnorisisd.domain.steering import (
    DecadeWish,
    EnergyWish,
    FolderWish,
    SeedKind,
    SeedWish,
    Steering,
    TagWish,
    Wish,
)
from anagnorisisd.errors import InvalidValue
from anagnorisisd.rpc import conversion, validation
from anagnorisisd.rpc.track_lookup import TrackLookup

FIRST_DECADE, LAST_DECADE = 1000, 9990
MAX_SECONDS = 366 * 86400.0
MAX_SONGS = 10_000


async def requested_steering(
    request: messages.SetSteeringRequest, tracks: TrackLookup, now: float
) -> Steering:
    """Return what a request asks for.

    Raises:
        InvalidValue: a wish, the strength or the end is malformed.
        UnknownTrack: the library has no such seed.
        NothingPlaying, PlayerUnavailable: a seed is a song of MPD that cannot be found.
    """
    wishes = tuple([await _requested_wish(wish, tracks) for wish in request.wishes])
    strength = request.strength if request.HasField("strength") else 1.0
    if not math.isfinite(strength):
        raise InvalidValue("strength", "is not a number between 0 and 1")
    steering = Steering(wishes, strength)
    match request.WhichOneof("end"):
        case "ends_at":
            ends_at = validation.unix_seconds("ends_at", request.ends_at)
            if ends_at <= now:
                raise InvalidValue("ends_at", "is not in the future")
            return Steering(wishes, strength, ends_at=ends_at)
        case "seconds":
            if not 0 < request.seconds <= MAX_SECONDS:
                raise InvalidValue("seconds", f"is not above 0 and up to {MAX_SECONDS:g}")
            return Steering(wishes, strength, ends_at=now + request.seconds)
        case "songs":
            if not 0 < request.songs <= MAX_SONGS:
                raise InvalidValue("songs", f"{request.songs} is not between 1 and {MAX_SONGS}")
            return Steering(wishes, strength, songs_left=request.songs)
    return steering


async def _requested_wish(wish: messages.Wish, tracks: TrackLookup) -> Wish:
    kind = wish.WhichOneof("wish")
    if kind is None:
        raise InvalidValue("wishes", "a wish is empty")
    if kind == "like_track":
        track = await tracks.find(wish.like_track)
        return SeedWish(SeedKind.TRACK, track.track_id)
    return READERS[kind](getattr(wish, kind))


def _decade(year: int) -> DecadeWish:
    if not FIRST_DECADE <= year <= LAST_DECADE:
        raise InvalidValue("decade", f"{year} is not a year such as 1980")
    return DecadeWish(year)


def _energy(level: float) -> EnergyWish:
    if not math.isfinite(level):
        raise InvalidValue("energy", "is not a number between 0 and 1")
    return EnergyWish(level)


def _name(field: str, text: str) -> str:
    name = validation.short_text(field, text).strip()
    if not name:
        raise InvalidValue(field, "is empty")
    return name


READERS: Mapping[str, Callable[[Any], Wish]] = {
    "tag": lambda name: TagWish(_name("tag", name)),
    "unwanted_tag": lambda name: TagWish(_name("unwanted_tag", name), unwanted=True),
    "like_artist": lambda name: SeedWish(SeedKind.ARTIST, _name("like_artist", name)),
    "like_album": lambda name: SeedWish(SeedKind.ALBUM, _name("like_album", name)),
    "decade": _decade,
    "folder": lambda path: FolderWish(validation.path("folder", path).strip("/")),
    "energy": _energy,
}
"""Readers of the values of wishes that need no look-up."""


def steering_message(
    steering: Steering | None, problems: Mapping[str, str] | None = None
) -> messages.Steering | None:
    """Convert steering, with the problems of its wishes by their text; `None` for none."""
    if steering is None:
        return None
    return messages.Steering(
        wishes=[
            messages.ActiveWish(
                wish=_wish_message(wish),
                text=conversion.printable(str(wish)),
                problem=conversion.printable((problems or {}).get(str(wish), "")),
            )
            for wish in steering.wishes
        ],
        strength=steering.strength,
        ends_at=conversion.timestamp(steering.ends_at),
        songs_left=steering.songs_left,
    )


def _wish_message(wish: Wish) -> messages.Wish:
    message = messages.Wish()
    match wish:
        case TagWish(name, unwanted):
            setattr(message, "unwanted_tag" if unwanted else "tag", conversion.printable(name))
        case SeedWish(SeedKind.TRACK, value):
            message.like_track.track_id = value
        case SeedWish(kind, value):
            setattr(message, f"like_{kind}", conversion.printable(value))
        case DecadeWish(year):
            message.decade = year
        case FolderWish(path):
            message.folder = conversion.printable(path)
        case EnergyWish(level):
            message.energy = level
    return message
