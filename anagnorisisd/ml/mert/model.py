"""Loading MERT as transformers' own `HubertModel`: strictly, and as tensors only."""

from pathlib import Path
from typing import Any

import torch
from transformers import HubertConfig, HubertModel
from transformers.utils.logging import set_verbosity_error

from anagnorisisd.errors import EmbedderUnusable
from anagnorisisd.ml.mert.folder import WEIGHTS_NAME, read_config

NOT_HUBERTS = ("model_type", "auto_map", "architectures", "torch_dtype", "transformers_version")


def load(folder: Path, layer: int) -> Any:
    """Return a `HubertModel` up to `layer`: its last hidden state is that layer's.

    Raises:
        EmbedderUnusable: the folder holds something else than what it says.
    """
    config = read_config(folder)
    set_verbosity_error()  # type: ignore[no-untyped-call] # it comments on keys that do not concern it
    settings = HubertConfig(**{key: config[key] for key in config if key not in NOT_HUBERTS})
    settings._attn_implementation = "sdpa"
    # Neither memory nor time for random weights that are replaced at once.
    with torch.device("meta"):
        model: Any = HubertModel(settings)
    weights = _read(folder / WEIGHTS_NAME)
    try:
        model.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as error:
        summary = " ".join(str(error).split())[:300]
        raise EmbedderUnusable(f"{folder / WEIGHTS_NAME} does not fit MERT: {summary}") from None
    model.encoder.layers = model.encoder.layers[:layer]
    return model.float().eval()


def _read(file: Path) -> dict[str, Any]:
    """Return the tensors of a checkpoint; code that poses as one is refused unexecuted."""
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise EmbedderUnusable(
            f"{file} cannot be loaded as weights: {str(error).splitlines()[0]}"
        ) from None
    if not isinstance(weights, dict):
        raise EmbedderUnusable(f"{file} holds a {type(weights).__name__}, not named weights")
    return weights
