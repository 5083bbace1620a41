"""A library whose sound is known, and its steering service."""

import numpy as np

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.track import Tags, TrackId
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.sound_tags import VOCABULARY, WORDS, SoundTagIndex
from anagnorisisd.events import Events
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.storage.stores import Stores
from tests.support.library import EPOCH, scanned, track_id

STYLES = ("jazz", "metal", "folk", "electronic")
PER_STYLE = 15


def steering_service(
    stores: Stores, events: Events, clock: Clock, stamp: EmbedderStamp = plan.STAMP
) -> SteeringService:
    """Return a steering service over real stores."""
    return SteeringService(
        library=stores.library,
        embeddings=stores.embeddings,
        sound_tags=SoundTagIndex(stores.embeddings, stamp, clock),
        stamp=stamp,
        store=stores.queue,
        events=events,
        clock=clock,
    )


def songs(style: str) -> list[str]:
    """Return the files of a style in `add_styles`."""
    return [f"{style}/{number}.ogg" for number in range(PER_STYLE)]


async def add_styles(stores: Stores, *, vectors: bool = True) -> None:
    """Add 15 tracks of each style, each by an artist with its name in capitals.

    MusiCNN hears the style in all of them, the more the lower the number of the track. A style's
    place in `STYLES` is its decade from 1980 on, and how lively it is.
    """
    rng = np.random.default_rng(0)
    sounds: dict[TrackId, Vectors] = {}
    for place, style in enumerate(STYLES):
        tags = Tags(
            artist=style.upper(), album=f"Best of {style}", genre=style, year=1985 + 10 * place
        )
        await stores.library.store_files([scanned(uri, tags=tags) for uri in songs(style)], EPOCH)
        pattern = rng.normal(size=plan.PROJECTED)
        for number, uri in enumerate(songs(style)):
            vector = np.asarray(rng.normal(size=plan.STAMP.dimension) / 10, np.float32)
            vector[features.STAMP.dimension :][: plan.PROJECTED] += pattern
            vector[list(features.ENERGY_DIMENSIONS)] += place
            vector[-len(WORDS) :] -= 5
            for word in VOCABULARY[style]:
                vector[-len(WORDS) + WORDS.index(word)] += 6 - number / 10
            sounds[track_id(uri)] = vector
    if vectors:
        await stores.embeddings.put(plan.STAMP, sounds)
