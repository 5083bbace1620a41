"""Tracks, ratings and reasons in words, the same on a terminal and in plain lines."""

from anagnorisisd.console.snapshot import Scanning, Snapshot
from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlaybackState
from anagnorisisd.domain.track import Track


def name(track: Track) -> str:
    """Return `Artist – Title`, printable whatever the tags hold."""
    text = f"{track.tags.artist} – {track.title}" if track.tags.artist else track.title
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def opinion(track: Track) -> str:
    """Return what is thought of a track: `rated 8`, `predicted 6.3 ± 1.2`, `no opinion yet`."""
    if track.rating is not None:
        return f"rated {track.rating:g}"
    if track.prediction is not None:
        return f"predicted {track.prediction.mean:.1f} ± {track.prediction.stddev:.1f}"
    return "no opinion yet"


WEIGHT = "rating × skips × recency"
"""What the numbers of `weight` stand for; guards that lower the weight are named after them."""


def counted_rating(why: Explanation) -> str:
    """Return the rating that counted and where it came from: `7.2 predicted`."""
    source = {"rating": "rated", "mean": "assumed"}.get(why.rating_source, why.rating_source)
    return f"{why.rating:.1f} {source}"


def weight(why: Explanation) -> str:
    """Return the factors of a weight: `0.53 × 0.73 × 0.97 × 0.5 artist spread`."""
    parts = [f"{why.rating_factor:.2g}", f"{why.skip_factor:.2g}", f"{why.recency_factor:.2g}"]
    guards = (f"{factor:.2g} {guard.replace('_', ' ')}" for guard, factor in why.guards.items())
    return " × ".join([*parts, *guards])


def scanning(scan: Scanning) -> str:
    """Return how a scan goes, or went."""
    state = "Library" if scan.done else "Scanning"
    return f"{state}: {plural(scan.found, 'file')}, {scan.added} new"


def embedding(progress: EmbeddingProgress) -> str:
    """Return how far the embedding has come."""
    text = f"Embedding: {progress.done} of {plural(progress.total, 'track')}"
    if progress.failed:
        text += f", {progress.failed} failed"
    left = progress.seconds_left
    return f"{text}, {duration(left)} left" if left and left >= 1 else text


def playing(snapshot: Snapshot) -> str:
    """Return what the player does, in one line."""
    if snapshot.link is not None and not snapshot.link.connected:
        return f"MPD: {snapshot.link.reason or 'not connected'}; trying again"
    if snapshot.player is None:
        return "MPD: not asked yet"
    if snapshot.player.uri is None or snapshot.player.playback_state is PlaybackState.STOP:
        return "Nothing is playing; play something in your MPD client, and picks follow"
    verb = "Playing" if snapshot.player.playback_state is PlaybackState.PLAY else "Paused"
    if snapshot.current is None:
        return f"{verb}: {snapshot.player.uri} (not in the library)"
    return f"{verb}: {name(snapshot.current)} ({opinion(snapshot.current)})"


def held_back(reason: str | None) -> str:
    """Return why no picks are added, or that they are."""
    return f"No picks are added: {reason}" if reason else "Picks are added again"


def how_to_rate(client: str) -> tuple[str, str]:
    """Return the hints at the commands."""
    return (
        f"Rate what plays, 0 to 10: {client} rate 8",
        f"Why it was picked:        {client} why",
    )


def duration(seconds: float) -> str:
    """Return `45 s`, `12 min`, `3.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plural(count: int, noun: str) -> str:
    """Return `1 track`, `2 tracks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
