"""What the words of the command line mean to the contract."""

import re

from anagnorisis.v1.track_pb2 import CurrentSong, Target


def target(text: str | None) -> Target:
    """Return the track meant: a path, a track id, or the current song for `None`."""
    if text is None:
        return Target(current=CurrentSong())
    if re.fullmatch("[0-9a-f]{32}", text):
        return Target(track_id=text)
    return Target(uri=text)
