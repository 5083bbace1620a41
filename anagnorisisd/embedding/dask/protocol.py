"""Requests to a worker and its answers: plain values that both ends check.

| answer                                     | meaning                                            |
|--------------------------------------------|----------------------------------------------------|
| `slots`                                    | it can make the vectors, of so many tracks at once |
| `incapable`, with the reason               | it cannot make these vectors                       |
| `vector` and `stamp`                       | the vector, float32 in bytes, little-endian        |
| `not_visible`                              | it does not see the file, or sees another one      |
| `failed`, with the reason, and `permanent` | the track cannot be embedded                       |
| anything else                              | a protocol error                                   |
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from anagnorisisd.domain.embedding import Conditions, EmbedderStamp, FilePart
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.errors import EmbeddingFailed

SURVEY = "anagnorisisd.embedding.dask.worker:survey"
EMBED = "anagnorisisd.embedding.dask.worker:embed"

MAX_SENT_BYTES = 512 << 20
"""Larger files are not sent; the worker must see them at their path."""

Answer = Mapping[str, Any]


class ProtocolError(Exception):
    """A worker's answer is invalid."""


class Incapable(Exception):
    """A worker cannot make the vectors."""


class FileNotVisible(Exception):
    """A worker does not see the file."""


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """How the vectors are made, the same for every track."""

    stamp: EmbedderStamp
    conditions: Conditions
    layer: int
    device: str
    idle_seconds: float
    timeout_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the object whose fields these are."""
        stamp = EmbedderStamp(**values["stamp"])
        conditions = tuple((name, value) for name, value in values["conditions"])
        return cls(**{**values, "stamp": stamp, "conditions": conditions})


@dataclass(frozen=True, slots=True)
class FileJob:
    """A file to embed: its path on the worker, and its size and time, which identify it."""

    path: str
    size_bytes: int
    modified_seconds: float
    start_seconds: float | None = None
    """Of a part of the file; `None` for all of it."""
    end_seconds: float | None = None

    def part_of(self, path: str) -> str | FilePart:
        """Return what to embed, where the file lies at `path`."""
        if self.start_seconds is None:
            return path
        return FilePart(path, self.start_seconds, self.end_seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the object whose fields these are."""
        return cls(**values)


def read_survey(answer: object) -> int:
    """Return how many tracks the worker takes at once.

    Raises:
        Incapable: it cannot make the vectors.
        ProtocolError: the answer is invalid.
    """
    match answer:
        case {"slots": int(slots)} if slots > 0:
            return slots
        case {"incapable": str(reason)}:
            raise Incapable(reason)
    raise ProtocolError(f"answered {_shortened(answer)}")


def read_vector(answer: object, stamp: EmbedderStamp) -> Vectors:
    """Return the vector that a worker made, `[stamp.dimension]` finite float32.

    Raises:
        FileNotVisible: it does not see the file.
        EmbeddingFailed: the file cannot be embedded.
        Incapable: it cannot make the vectors.
        ProtocolError: the answer is invalid, or its vector has another stamp.
    """
    match answer:
        case {"vector": bytes(raw), "stamp": str(made_by)}:
            return _checked(raw, made_by, stamp)
        case {"not_visible": True}:
            raise FileNotVisible
        case {"failed": str(reason), "permanent": bool(permanent)}:
            raise EmbeddingFailed(reason, permanent=permanent)
        case {"incapable": str(reason)}:
            raise Incapable(reason)
    raise ProtocolError(f"answered {_shortened(answer)}")


def _checked(raw: bytes, made_by: str, stamp: EmbedderStamp) -> Vectors:
    if made_by != str(stamp):
        raise ProtocolError(f"made a vector of {made_by[:60]} where {stamp} was asked for")
    if len(raw) != 4 * stamp.dimension:
        raise ProtocolError(
            f"made a vector of {len(raw)} bytes where {stamp} has {4 * stamp.dimension}"
        )
    vector = np.frombuffer(raw, dtype="<f4").astype(np.float32)
    if not np.isfinite(vector).all():
        raise ProtocolError("made a vector that is not finite")
    return vector


def _shortened(answer: object) -> str:
    text = ascii(answer)
    return text if len(text) <= 100 else f"{text[:97]}..."
