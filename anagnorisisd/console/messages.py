"""Texts for tracks, ratings, weights and progress, used by both screens."""

from anagnorisisd.console.snapshot import ScanState, Snapshot
from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlaybackState
from anagnorisisd.domain.track import Track


def track_name(track: Track) -> str:
    """Return `Artist – Title`, printable whatever the tags hold."""
    text = f"{track.tags.artist} – {track.title}" if track.tags.artist else track.title
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def rating_or_prediction(track: Track) -> str:
    """Return `rated 8`, `predicted 6.3 ± 1.2` or `no prediction yet`."""
    if track.rating is not None:
        return f"rated {track.rating:g}"
    if track.prediction is not None:
        return f"predicted {track.prediction.mean:.1f} ± {track.prediction.stddev:.1f}"
    return "no prediction yet"


WEIGHT_FACTORS = "rating × skips × recency"
"""Names of the factors that `weight_factors` shows first; the others have theirs beside them."""


def rating_with_source(why: Explanation) -> str:
    """Return the effective rating and its source: `7.2 predicted`."""
    source = {"rating": "rated", "mean": "assumed"}.get(why.rating_source, why.rating_source)
    return f"{why.rating:.1f} {source}"


def weight_factors(why: Explanation) -> str:
    """Return the factors of a weight: `0.53 × 0.73 × 0.97 × 0.5 artist spread`."""
    parts = [f"{why.rating_factor:.2g}", f"{why.skip_factor:.2g}", f"{why.recency_factor:.2g}"]
    others = {"steering": why.steering_factor, "flow": why.flow_factor}
    named = {**{name: factor for name, factor in others.items() if factor != 1}, **why.guards}
    return " × ".join(
        [*parts, *(f"{factor:.2g} {name.replace('_', ' ')}" for name, factor in named.items())]
    )


def scan_progress(scan: ScanState) -> str:
    """Return the progress or result of a scan."""
    state = "Library" if scan.finished else "Scanning"
    return f"{state}: {plural(scan.found, 'file')}, {scan.added} new"


def embedding_progress(progress: EmbeddingProgress) -> str:
    """Return the progress of embedding the library."""
    text = f"Embedding: {progress.embedded} of {plural(progress.total, 'track')}"
    if progress.failed:
        text += f", {progress.failed} failed"
    left = progress.seconds_left
    return f"{text}, {duration(left)} left" if left and left >= 1 else text


CONNECTING = "MPD: connecting"


def playback(snapshot: Snapshot) -> str:
    """Return the player's state in one line."""
    link = snapshot.link
    if link is not None and not link.connected and link.reason:
        return f"MPD: {link.reason}; trying again"
    if snapshot.player is None:
        return CONNECTING
    if snapshot.player.uri is None or snapshot.player.playback_state is PlaybackState.STOP:
        return "Nothing is playing; start playback in your MPD client to get picks"
    verb = "Playing" if snapshot.player.playback_state is PlaybackState.PLAY else "Paused"
    if snapshot.current is None:
        return f"{verb}: {snapshot.player.uri} (not in the library)"
    known = ", ".join([rating_or_prediction(snapshot.current), *snapshot.sound_tags])
    return f"{verb}: {track_name(snapshot.current)} ({known})"


def picking_state(reason: str | None) -> str:
    """Return whether picks are added, or why not."""
    return f"No picks are added: {reason}" if reason else "Picks are added again"


def command_hints(client: str) -> tuple[str, str]:
    """Return two lines with the most important commands."""
    return (
        f"Rate the playing track, 0 to 10: {client} rate 8",
        f"Explain why it was picked:       {client} why",
    )


def duration(seconds: float) -> str:
    """Return `45 s`, `12 min`, `3.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plural(count: int, noun: str) -> str:
    """Return `1 track`, `2 tracks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
