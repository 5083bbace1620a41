"""MusiCNN in tests: its weights are there unless `make setup` had no network."""

import zipfile
from pathlib import Path

import pytest

from anagnorisisd.embedding.musicnn.weights import CHECKPOINT, PACKAGED
from anagnorisisd.embedding.published_models import MUSICNN_WHEEL

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
