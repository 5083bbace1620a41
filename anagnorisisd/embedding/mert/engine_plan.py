"""The words in which the parent tells a worker how to run the model."""

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """What computes."""

    TORCH = "torch"
    OPENVINO = "openvino"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Which weights to run how; hashable, so that a worker loads them once."""

    folder: str
    sha256: str
    layer: int
    engine: Engine
    bfloat16: bool
    threads: int
    cache_directory: str
