"""Running the model: a torch reference that always works, OpenVINO where it is, CUDA where it is.

An engine takes normalised windows, `[windows, samples]`, and returns the hidden states of the
last layer, averaged over time, `[windows, dimension]`.
"""

import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.embedding import FilePart
from anagnorisisd.embedding.embedder import Samples, Vector

log = logging.getLogger(__name__)

RATE = 24_000
WINDOW_SECONDS = 5.0
WINDOW_SAMPLES = int(RATE * WINDOW_SECONDS)
WINDOWS = 5
SILENT_VARIANCE = 1e-7
"""What the published preprocessor adds to the variance before it divides."""

Run = Callable[[Samples], NDArray[np.float32]]


class Engine(StrEnum):
    """What computes."""

    TORCH = "torch"
    OPENVINO = "openvino"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Which weights to run how; hashable, so that a worker loads them once.

    `measure_as` are the conditions under which to measure the engines first, empty for not at all.
    """

    folder: str
    sha256: str
    layer: int
    engine: Engine
    bfloat16: bool
    threads: int
    cache_directory: str
    measure_as: str = ""


def read(file: str | FilePart) -> Samples:
    """Return up to five evenly spread windows, `[windows, WINDOW_SAMPLES]`.

    A track shorter than a window is repeated until it fills one: padding it with silence would
    let the silence have its say in the mean.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: the file holds no sound that can be read.
    """
    from anagnorisisd.embedding.decode import read_windows

    windows = read_windows(file, rate=RATE, seconds=WINDOW_SECONDS, count=WINDOWS)
    if windows.shape[1] < WINDOW_SAMPLES:
        return np.resize(windows, (1, WINDOW_SAMPLES))
    return windows


def embed(windows: Samples, plan: EnginePlan) -> Vector:
    """Return the mean over time, then over windows, of the chosen layer, `[dimension]`.

    Raises:
        EmbedderUnusable: the weights cannot be used.
    """
    vector: Vector = _engine(plan)(normalised(windows)).mean(axis=0)
    return vector


def normalised(windows: Samples) -> Samples:
    """Return each window with mean 0 and variance 1, as the model was trained."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + np.float32(SILENT_VARIANCE)), np.float32)


@lru_cache(maxsize=1)
def _engine(plan: EnginePlan) -> Run:
    if plan.measure_as:
        from anagnorisisd.embedding.mert import engine_choice

        return engine_choice.measure(plan)
    return start(plan, WINDOW_SAMPLES)


def start(plan: EnginePlan, samples: int) -> Run:
    """Return the engine of `plan`, loaded and ready for windows of `samples` samples.

    Raises:
        EmbedderUnusable: the weights cannot be used.
    """
    if plan.engine is Engine.CUDA:
        return on_cuda(plan)
    if plan.engine is Engine.OPENVINO:
        try:
            return on_openvino(plan, samples)
        except (ImportError, RuntimeError, OSError) as error:
            # An extra that is broken or has no disk to write to must not cost the embeddings.
            log.warning("OpenVINO cannot be used, torch is: %s", error)
    return on_torch(plan)


def on_torch(plan: EnginePlan) -> Run:
    """Run on the processor with torch.

    The convolutions go window by window, since more at once only costs memory; the transformer
    takes all windows of a track, so that its weights are laid out for the processor once: half
    the time, and the very same numbers.
    """
    import torch

    from anagnorisisd.embedding.mert.model import load

    torch.set_num_threads(plan.threads)
    model = load(Path(plan.folder), plan.layer)

    def run(windows: Samples) -> NDArray[np.float32]:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16),
        ):
            heard = [
                model.feature_extractor(torch.from_numpy(window[np.newaxis])) for window in windows
            ]
            frames = model.feature_projection(torch.cat(heard).transpose(1, 2))
            means: NDArray[np.float32] = _over_time(model.encoder(frames)).numpy()
        return means

    return run


def on_cuda(plan: EnginePlan) -> Run:
    """Run on a GPU, all windows of a track at once."""
    import torch

    from anagnorisisd.embedding.mert.model import load

    model: Any = load(Path(plan.folder), plan.layer)
    model.to("cuda")

    def run(windows: Samples) -> NDArray[np.float32]:
        with torch.inference_mode():
            means: NDArray[np.float32] = (
                _mean(model, torch.from_numpy(windows).to("cuda")).cpu().numpy()
            )
        return means

    return run


def on_openvino(plan: EnginePlan, samples: int) -> Run:
    """Run on the processor with OpenVINO, converted from torch once; then torch is not loaded."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # nothing is ever reported
    import openvino as ov

    name = f"mert-{plan.sha256[:16]}-layer{plan.layer}-{samples}-openvino{ov.__version__[:6]}"
    kept = Path(plan.cache_directory) / name
    if not (kept / "model.xml").is_file():
        _convert(plan, samples, kept)
    core = ov.Core()
    compiled = core.compile_model(
        kept / "model.xml",
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if plan.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": plan.threads,
            "NUM_STREAMS": 1,
        },
    )

    def run(windows: Samples) -> NDArray[np.float32]:
        return np.concatenate([compiled(window[np.newaxis])[0] for window in windows])

    return run


def _convert(plan: EnginePlan, samples: int, kept: Path) -> None:
    import openvino as ov
    import torch

    from anagnorisisd.embedding.mert.model import load

    kept.parent.mkdir(parents=True, exist_ok=True)
    model = load(Path(plan.folder), plan.layer)

    class Averaged(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            means: torch.Tensor = _mean(self.model, windows)
            return means

    with torch.inference_mode(), warnings.catch_warnings():
        # Tracing warns of every branch; the shape of a window never changes.
        warnings.simplefilter("ignore")
        converted = ov.convert_model(
            Averaged(), example_input=torch.zeros(1, samples), input=[1, samples]
        )
    # Whoever is killed half-way leaves nothing that looks finished.
    making = Path(tempfile.mkdtemp(dir=kept.parent, prefix=f".{kept.name}-"))
    try:
        ov.save_model(converted, making / "model.xml", compress_to_fp16=True)
        making.replace(kept)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _mean(model: Any, windows: Any) -> Any:
    return _over_time(model(windows))


def _over_time(output: Any) -> Any:
    return output.last_hidden_state.float().mean(dim=1)
