"""Random checkpoints in the layout of the published MERT-v1-95M, small or of its real size."""

import json
from pathlib import Path
from typing import Any

import torch

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
REAL = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "conv_dim": [512] * 7,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
}
CONFIG: dict[str, Any] = {
    "architectures": ["MERTModel"],
    "auto_map": {"AutoModel": "modeling_MERT.MERTModel"},
    "model_type": "mert_model",
    "sample_rate": 24000,
    "attention_relax": -1.0,
    "conv_bias": False,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "deepnorm": False,
    "do_stable_layer_norm": False,
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "feature_extractor_cqt": False,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-05,
    "mask_time_prob": 0.05,
    "num_feat_extract_layers": 7,
    "torch_dtype": "float32",
    "transformers_version": "4.27.1",
}
TRAP = "raise SystemExit('code from the model folder was executed')\n"

Weights = dict[str, torch.Tensor]


def make_folder(path: Path, sizes: dict[str, Any] | None = None, seed: int = 0) -> Path:
    """Write a whole model folder with random weights and return `path`."""
    config = CONFIG | (sizes or SMALL)
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    (path / "preprocessor_config.json").write_text('{"do_normalize": true}')
    (path / "modeling_MERT.py").write_text(TRAP)
    (path / "configuration_MERT.py").write_text(TRAP)
    torch.save(random_weights(config, seed), path / "pytorch_model.bin")
    return path


def random_weights(config: dict[str, Any], seed: int) -> Weights:
    """Return weights such that signals neither die nor explode on their way."""
    chance = torch.Generator().manual_seed(seed)
    return {name: _random(name, shape, chance) for name, shape in shapes(config).items()}


def _random(name: str, shape: tuple[int, ...], chance: torch.Generator) -> torch.Tensor:
    noise = torch.randn(shape, generator=chance)
    if name.endswith("weight_g"):
        return 1 + 0.1 * noise.abs()
    if "layer_norm.weight" in name:
        return 1 + 0.1 * noise
    if len(shape) == 1:
        return 0.1 * noise
    return noise * torch.tensor(shape[1:]).prod().float().rsqrt() * 1.5


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of the published layout, 211 at the real size."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    found: dict[str, tuple[int, ...]] = {"masked_spec_embed": (hidden,)}
    before = 1
    for index, (width, kernel) in enumerate(
        zip(config["conv_dim"], config["conv_kernel"], strict=True)
    ):
        found[f"feature_extractor.conv_layers.{index}.conv.weight"] = (width, before, kernel)
        before = width
    for kind in ("weight", "bias"):
        found[f"feature_extractor.conv_layers.0.layer_norm.{kind}"] = (config["conv_dim"][0],)
    found |= _normed("feature_projection.layer_norm", before)
    found |= _linear("feature_projection.projection", before, hidden)
    kernel = config["num_conv_pos_embeddings"]
    found["encoder.pos_conv_embed.conv.weight_g"] = (1, 1, kernel)
    found["encoder.pos_conv_embed.conv.weight_v"] = (
        hidden, hidden // config["num_conv_pos_embedding_groups"], kernel,
    )  # fmt: skip
    found["encoder.pos_conv_embed.conv.bias"] = (hidden,)
    found |= _normed("encoder.layer_norm", hidden)
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= _linear(f"{layer}.attention.{part}", hidden, hidden)
        found |= _normed(f"{layer}.layer_norm", hidden)
        found |= _linear(f"{layer}.feed_forward.intermediate_dense", hidden, inner)
        found |= _linear(f"{layer}.feed_forward.output_dense", inner, hidden)
        found |= _normed(f"{layer}.final_layer_norm", hidden)
    return found


def _linear(name: str, wide: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, wide), f"{name}.bias": (out,)}


def _normed(name: str, wide: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}


def forward(weights: Weights, config: dict[str, Any], samples: torch.Tensor) -> list[torch.Tensor]:
    """Return all hidden states, `[frames, hidden]`, of samples `[n]`: MERT written out.

    An independent reading of the model: plain tensor operations, nothing of transformers, and in
    one piece, so that it can be read beside a description of the model.
    """
    functional = torch.nn.functional
    hidden = config["hidden_size"]

    def linear(name: str, value: torch.Tensor) -> torch.Tensor:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normed(name: str, value: torch.Tensor) -> torch.Tensor:
        centred = value - value.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def gelu(value: torch.Tensor) -> torch.Tensor:
        return value * 0.5 * (1 + torch.erf(value / 2**0.5))

    value = samples[None, None]
    for index, stride in enumerate(config["conv_stride"]):
        name = f"feature_extractor.conv_layers.{index}"
        value = functional.conv1d(value, weights[f"{name}.conv.weight"], stride=stride)
        if index == 0:  # a group for each channel: normalised over time
            value = (value - value.mean(-1, keepdim=True)) / (
                value.var(-1, keepdim=True, unbiased=False) + 1e-5
            ).sqrt()
            scale, shift = (weights[f"{name}.layer_norm.{kind}"] for kind in ("weight", "bias"))
            value = value * scale[:, None] + shift[:, None]
        value = gelu(value)
    state = linear(
        "feature_projection.projection", normed("feature_projection.layer_norm", value[0].T)
    )

    direction = weights["encoder.pos_conv_embed.conv.weight_v"]
    length = direction.square().sum((0, 1), keepdim=True).sqrt()
    kernel = weights["encoder.pos_conv_embed.conv.weight_g"] * direction / length
    placed = functional.conv1d(
        state.T[None],
        kernel,
        weights["encoder.pos_conv_embed.conv.bias"],
        padding=config["num_conv_pos_embeddings"] // 2,
        groups=config["num_conv_pos_embedding_groups"],
    )[0, :, : len(state)]
    state = normed("encoder.layer_norm", state + gelu(placed).T)

    states = [state]
    heads = config["num_attention_heads"]
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{index}"
        query, key, given = (
            linear(f"{layer}.attention.{part}", state)
            .view(-1, heads, hidden // heads)
            .transpose(0, 1)
            for part in ("q_proj", "k_proj", "v_proj")
        )
        attention = (query @ key.transpose(1, 2) / (hidden // heads) ** 0.5).softmax(-1)
        seen = (attention @ given).transpose(0, 1).reshape(-1, hidden)
        state = normed(f"{layer}.layer_norm", state + linear(f"{layer}.attention.out_proj", seen))
        inner = gelu(linear(f"{layer}.feed_forward.intermediate_dense", state))
        fed = linear(f"{layer}.feed_forward.output_dense", inner)
        state = normed(f"{layer}.final_layer_norm", state + fed)
        states.append(state)
    return states
