"""What lies in a model folder, looked at without loading it."""

import hashlib
import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from anagnorisisd.domain.publication import MERT
from anagnorisisd.errors import EmbedderUnusable

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


@dataclass(frozen=True, slots=True)
class Folder:
    """A model that can be loaded. `sha256` is that of the weights."""

    path: Path
    sha256: str
    dimension: int
    layers: int


def inspect(path: Path) -> Folder | None:
    """Return what lies at `path`, or `None` while there are no weights.

    Raises:
        EmbedderUnusable: there is something, but it is not a MERT that can be used.
    """
    weights = path / WEIGHTS_NAME
    if not weights.is_file():
        return None
    config = read_config(path)
    status = weights.stat()
    digest = _sha256(weights, status.st_size, status.st_mtime_ns)
    return Folder(path, digest, config["hidden_size"], config["num_hidden_layers"])


def read_config(path: Path) -> dict[str, Any]:
    """Return the model's configuration; raise `EmbedderUnusable` if it is not MERT's."""
    file = path / CONFIG_NAME
    try:
        config = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise EmbedderUnusable(f"{file} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise EmbedderUnusable(f"{file} is not the configuration of a model")
    for key, value in REQUIRED.items():
        if config.get(key) != value:
            raise EmbedderUnusable(
                f"{file} says {key}: {config.get(key)!r} where MERT-v1-95M has {value!r}"
            )
    for key in ("hidden_size", "num_hidden_layers"):
        if not isinstance(config.get(key), int):
            raise EmbedderUnusable(f"{file} has no whole number as {key}")
    return config


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
