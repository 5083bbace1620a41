"""Steering as text, for the database."""

import json
from dataclasses import asdict
from typing import Any

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

KINDS: dict[str, type[Wish]] = {
    "tag": TagWish,
    "seed": SeedWish,
    "decade": DecadeWish,
    "folder": FolderWish,
    "energy": EnergyWish,
}
NAMES = {kind: name for name, kind in KINDS.items()}


def to_text(steering: Steering | None) -> str:
    """Return steering as JSON; `null` for none."""
    if steering is None:
        return "null"
    wishes = [{"wish": NAMES[type(wish)], **asdict(wish)} for wish in steering.wishes]
    return json.dumps({**asdict(steering), "wishes": wishes})


def from_text(text: str) -> Steering | None:
    """Return the steering that `to_text` wrote; `None` for text of another version."""
    try:
        fields = json.loads(text)
        if fields is None:
            return None
        wishes = tuple(_wish(**wish) for wish in fields.pop("wishes"))
        return Steering(wishes, **fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _wish(wish: str, **fields: Any) -> Wish:
    if wish == "seed":
        fields["kind"] = SeedKind(fields["kind"])
    return KINDS[wish](**fields)
