"""Loading MERT as transformers' own `HubertModel`: strictly, and as tensors only."""

from pathlib import Path
from typing import Any

import torch
from transformers import HubertConfig, HubertModel
from transformers.utils.logging import set_verbosity_error

from anagnorisisd.embedding.mert.model_files import (
    CONFIG_NAME,
    PER_LAYER,
    SIZES,
    WEIGHTS_NAME,
    read_config,
    readable,
)
from anagnorisisd.errors import EmbedderUnusable

SHAPING = (
    *SIZES,
    *PER_LAYER,
    "feat_extract_norm",
    "feat_proj_layer_norm",
    "conv_bias",
    "do_stable_layer_norm",
    "layer_norm_eps",
    "hidden_act",
    "feat_extract_activation",
)
"""What of the folder's configuration reaches transformers: nothing else changes the numbers."""

CHUNK_BYTES = 1 << 20


def load(folder: Path, layer: int) -> Any:
    """Return a `HubertModel` up to `layer`: its last hidden state is that layer's.

    Raises:
        WeightsUnreadable: the disk does not let them be read.
        EmbedderUnusable: the folder holds something else than what it says.
    """
    config = read_config(folder)
    model = _empty(folder, {key: config[key] for key in SHAPING if key in config})
    weights = _read(folder / WEIGHTS_NAME)
    try:
        model.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as error:
        summary = " ".join(str(error).split())[:300]
        raise EmbedderUnusable(f"{folder / WEIGHTS_NAME} does not fit MERT: {summary}") from None
    model.encoder.layers = model.encoder.layers[:layer]
    return model.float().eval()


def _empty(folder: Path, shaping: dict[str, Any]) -> Any:
    """Return a model of that shape without weights."""
    set_verbosity_error()  # type: ignore[no-untyped-call] # it comments on what does not concern it
    try:
        settings = HubertConfig(**shaping)
        settings._attn_implementation = "sdpa"
        # Neither memory nor time for random weights that are replaced at once.
        with torch.device("meta"):
            return HubertModel(settings)
    except Exception as error:  # transformers and torch have no error of their own for this
        summary = " ".join(str(error).split())[:300]
        raise EmbedderUnusable(
            f"{folder / CONFIG_NAME} describes no model: {type(error).__name__}: {summary}"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    """Return the tensors of a checkpoint; code that poses as one is refused unexecuted."""
    with readable(file), file.open("rb") as content:
        # Once through before it is mapped: a page that cannot be read would kill the process.
        while content.read(CHUNK_BYTES):
            pass
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise EmbedderUnusable(
            f"{file} cannot be loaded as weights: {str(error).splitlines()[0]}"
        ) from None
    if not isinstance(weights, dict):
        raise EmbedderUnusable(f"{file} holds a {type(weights).__name__}, not named weights")
    return weights
