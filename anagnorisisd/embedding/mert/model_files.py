"""What lies in a model folder, looked at without loading it."""

import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.errors import EmbedderUnusable, WeightsUnreadable

log = logging.getLogger(__name__)

CONFIG_NAME, WEIGHTS_NAME = "config.json", "pytorch_model.bin"
POINTER = b"version https://git-lfs.github.com/spec/"

REQUIRED: dict[str, Any] = {
    "model_type": "mert_model",
    "sample_rate": 24_000,
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "conv_bias": False,
    "do_stable_layer_norm": False,
    "deepnorm": False,
    "feature_extractor_cqt": False,
    "attention_relax": -1.0,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
}
"""Where one of these differs, `HubertModel` would compute something else than MERT does."""

MAX_CONFIG_BYTES = 1 << 20

SIZES: dict[str, tuple[int, int]] = {
    "hidden_size": (1, 8_192),
    "num_hidden_layers": (1, 100),
    "num_attention_heads": (1, 512),
    "intermediate_size": (1, 32_768),
    "num_conv_pos_embeddings": (1, 4_096),
    "num_conv_pos_embedding_groups": (1, 4_096),
    "num_feat_extract_layers": (1, 32),
}
"""Whole numbers that shape the model, and between what they have to be."""

PER_LAYER: dict[str, tuple[int, int]] = {
    "conv_dim": (1, 8_192),
    "conv_kernel": (1, 1_024),
    "conv_stride": (1, 1_024),
}
"""Lists of such numbers, one for each layer of convolution."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that can be loaded. `sha256` is that of the weights."""

    path: Path
    sha256: str
    dimension: int
    layers: int


def inspect(path: Path) -> ModelFiles | None:
    """Return what lies at `path`, or `None` while there are no weights.

    Raises:
        WeightsUnreadable: there is something that cannot be read at present.
        EmbedderUnusable: there is something, but it is not a MERT that can be used.
    """
    weights = path / WEIGHTS_NAME
    with readable(weights):
        if not weights.is_file():
            return None
        config = read_config(path)
        status = weights.stat()
        digest = _sha256(weights, status.st_size, status.st_mtime_ns)
    return ModelFiles(path, digest, config["hidden_size"], config["num_hidden_layers"])


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Let an error of the disk be `WeightsUnreadable`."""
    try:
        yield
    except OSError as error:
        raise WeightsUnreadable(f"{path} cannot be read: {error.strerror or error}") from None


def read_config(path: Path) -> dict[str, Any]:
    """Return the model's configuration.

    Raises:
        WeightsUnreadable: it cannot be read at present.
        EmbedderUnusable: it is missing, or not MERT's.
    """
    file = path / CONFIG_NAME
    try:
        config = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise EmbedderUnusable(f"{file} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise EmbedderUnusable(f"{file} is not the configuration of a model")
    for key, value in REQUIRED.items():
        if config.get(key) != value:
            raise EmbedderUnusable(
                f"{file} says {key}: {_shown(config.get(key))} where MERT-v1-95M has {value!r}"
            )
    for key in ("hidden_size", "num_hidden_layers"):
        if key not in config:
            raise EmbedderUnusable(f"{file} does not say {key}")
    _check_sizes(file, config)
    return config


def _text(file: Path) -> str:
    """Return what a file says; one that is no file, or endless, is not read."""
    with readable(file):
        try:
            # O_NONBLOCK: a pipe would wait for its writer.
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise EmbedderUnusable(f"{file} is missing") from None
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EmbedderUnusable(f"{file} is not a regular file")
            content = opened.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise EmbedderUnusable(f"{file} is too large for the configuration of a model")
    return content.decode()


def _check_sizes(file: Path, config: dict[str, Any]) -> None:
    """Refuse numbers that no model can have, or that would take for ever."""
    for key, (least, most) in SIZES.items():
        if key in config and not _is_between(config[key], least, most):
            raise EmbedderUnusable(
                f"{file} says {key}: {_shown(config[key])}; it has to be from {least} to {most}"
            )
    layers = config.get("num_feat_extract_layers", 7)
    for key, (least, most) in PER_LAYER.items():
        if key not in config:
            continue
        values = config[key]
        fits = isinstance(values, list) and len(values) == layers
        if not fits or not all(_is_between(value, least, most) for value in values):
            raise EmbedderUnusable(
                f"{file} says {key}: {_shown(values)}; "
                f"it has to be {layers} numbers from {least} to {most}"
            )


def _is_between(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@lru_cache(maxsize=4)
def _sha256(weights: Path, size_bytes: int, mtime_ns: int) -> str:
    """Return the hash of the weights, read once for each size and time of change."""
    with weights.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise EmbedderUnusable(
                f"{weights} is only a git-lfs pointer; run `git lfs pull` in its folder"
            )
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != MERT.files[-1].sha256:
        log.warning("%s is not the published %s; it is used all the same", weights, MERT.name)
    return digest
