"""MusiCNN in tests: its weights are there unless `make setup` had no network."""

import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pytest

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.musicnn.weights import CHECKPOINT, PACKAGED
from anagnorisisd.embedding.published_models import MUSICNN_WHEEL
from anagnorisisd.embedding.sound_tags import WORDS
from tests.support.library import track_id

WITHOUT_WEIGHTS = "`make setup` could not download the weights of MusiCNN"
needs_weights = pytest.mark.skipif(not PACKAGED.exists(), reason=WITHOUT_WEIGHTS)

METADATA = "Metadata-Version: 2.1\nName: musicnn\nVersion: 0.1.0\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(directory: Path, checkpoint: bytes | None) -> Path:
    """Return a wheel that pip takes for musicnn 0.1.0."""
    wheel = directory / MUSICNN_WHEEL.name
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("musicnn-0.1.0.dist-info/METADATA", METADATA)
        archive.writestr("musicnn-0.1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("musicnn-0.1.0.dist-info/RECORD", "")
        if checkpoint is not None:
            archive.writestr(CHECKPOINT, checkpoint)
    return wheel


def vectors_of(uris: Sequence[str], jazz: Collection[str]) -> dict[TrackId, Vectors]:
    """Return vectors of the embedder `musicnn`, by which the tracks in `jazz` have that sound tag.

    There must be at least `MIN_TRACKS` of them.
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(uris), plan.STAMP.dimension)).astype(np.float32)
    vectors[:, -len(WORDS) :] = -5 + 0.1 * vectors[:, -len(WORDS) :]
    for row, uri in enumerate(uris):
        if uri in jazz:
            vectors[row, -len(WORDS) + WORDS.index("jazz")] = 1.0
    return {track_id(uri): vector for uri, vector in zip(uris, vectors, strict=True)}
