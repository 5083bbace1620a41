"""What is asked of a worker, and what it may answer; plain values, for either end to check.

| the worker answers                       | which means                                        |
|------------------------------------------|----------------------------------------------------|
| `places`                                 | it can do as wished, with so many tracks at once   |
| `unfit`, with the reason                 | it cannot make these vectors                       |
| `vector` and `stamp`                     | the vector, float32 in bytes, little-endian        |
| `absent`                                 | it does not see the file, or sees another one      |
| `failed`, with the reason, and `permanent` | the track cannot be embedded                     |
| anything else                            | nonsense                                           |
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from anagnorisisd.domain.embedding import Conditions, EmbedderStamp
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.errors import EmbeddingFailed

SURVEY = "anagnorisisd.embedding.dask.worker:survey"
EMBED = "anagnorisisd.embedding.dask.worker:embed"

MAX_SENT_BYTES = 512 << 20
"""Larger files are not sent; they have to be seen where they are."""

Answer = Mapping[str, Any]


class ProtocolError(Exception):
    """A worker answered what no worker of ours answers."""


class Incapable(Exception):
    """A worker cannot make the vectors that are wished for."""


class FileNotVisible(Exception):
    """A worker does not see the file."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How vectors are to be made, the same for every track."""

    stamp: EmbedderStamp
    conditions: Conditions
    layer: int
    device: str
    idle_seconds: float
    timeout_seconds: float

    def packed(self) -> dict[str, Any]:
        """Return it in plain values."""
        return asdict(self)

    @classmethod
    def unpacked(cls, values: Mapping[str, Any]) -> Self:
        """Return what `packed` packed."""
        stamp = EmbedderStamp(**values["stamp"])
        conditions = tuple((name, value) for name, value in values["conditions"])
        return cls(**{**values, "stamp": stamp, "conditions": conditions})


@dataclass(frozen=True, slots=True)
class Job:
    """A file to embed: where the worker should see it, and by what it knows that it is the same."""

    path: str
    size_bytes: int
    modified_seconds: float

    def packed(self) -> dict[str, Any]:
        """Return it in plain values."""
        return asdict(self)

    @classmethod
    def unpacked(cls, values: Mapping[str, Any]) -> Self:
        """Return what `packed` packed."""
        return cls(**values)


def read_survey(answer: object) -> int:
    """Return how many tracks the worker wants to have at once.

    Raises:
        Incapable: it cannot make the vectors.
        ProtocolError: it answered something else.
    """
    match answer:
        case {"places": int(places)} if places > 0:
            return places
        case {"unfit": str(reason)}:
            raise Incapable(reason)
    raise ProtocolError(f"answered {_shown(answer)}")


def read_vector(answer: object, stamp: EmbedderStamp) -> Vectors:
    """Return the vector that a worker made, `[stamp.dimension]` finite float32.

    Raises:
        FileNotVisible: it does not see the file.
        EmbeddingFailed: the file cannot be embedded.
        Incapable: it cannot make the vectors after all.
        ProtocolError: it answered something else, or a vector that is none of this stamp.
    """
    match answer:
        case {"vector": bytes(raw), "stamp": str(made_by)}:
            return _checked(raw, made_by, stamp)
        case {"absent": True}:
            raise FileNotVisible
        case {"failed": str(reason), "permanent": bool(permanent)}:
            raise EmbeddingFailed(reason, permanent=permanent)
        case {"unfit": str(reason)}:
            raise Incapable(reason)
    raise ProtocolError(f"answered {_shown(answer)}")


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


def _shown(answer: object) -> str:
    text = ascii(answer)
    return text if len(text) <= 100 else f"{text[:97]}..."
