"""Why a track was picked, in a few words."""

from collections.abc import Iterator

from anagnorisis import text
from anagnorisis.v1 import pick_pb2 as picks
from anagnorisis.v1.track_pb2 import Track
from anagnorisis_web.texts import Texts

LONG_AGO, LATELY = 0.8, 0.3
"""Recency factors: from the first a track was not heard for long, to the second it was lately."""
NO_PLAYS = 0.731
"""The skip factor of a track without plays, rounded down: the logistic function of 1."""
FITS = 0.7
"""Fits to a wish from which they are a reason."""


def describe(track: Track, explanation: picks.Explanation, texts: Texts) -> str:
    """Return in a few words why a track was picked."""
    return texts("reason.separator").join(_reasons(track, explanation, texts))


def _reasons(track: Track, explanation: picks.Explanation, texts: Texts) -> Iterator[str]:
    rating = f"{explanation.rating:.1f}".removesuffix(".0")
    if explanation.rating_source == picks.RATING_SOURCE_RATING:
        yield texts("reason.rated", value=rating)
    elif explanation.rating_source == picks.RATING_SOURCE_PREDICTED:
        yield texts("reason.predicted", value=rating)
    else:
        yield texts("reason.mean", value=rating)
    if not track.HasField("last_played_at"):
        yield texts("reason.never_played")
    elif explanation.recency_factor >= LONG_AGO:
        yield texts("reason.long_ago")
    elif explanation.recency_factor <= LATELY:
        yield texts("reason.lately")
    if explanation.skip_factor > NO_PLAYS + 0.05:
        yield texts("reason.often_played")
    elif explanation.skip_factor < NO_PLAYS - 0.05:
        yield texts("reason.often_skipped")
    for fit in explanation.wish_fits:
        if fit.fit >= FITS:
            yield texts("reason.fits", wish=text.printable(fit.wish))
    if explanation.flow_factor != 1 and explanation.flow_factor >= FITS:
        yield texts("reason.flow")
    if explanation.album_tracks:
        yield texts("reason.album", count=explanation.album_tracks)
