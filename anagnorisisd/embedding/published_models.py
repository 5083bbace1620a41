"""Published models: their files with checksums, where they are, and their licences."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file; `sha256` is that of its content, in hexadecimal digits."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Publication:
    """A model on the Hugging Face hub, pinned to one revision."""

    name: str
    repository: str
    revision: str
    files: tuple[PublishedFile, ...]
    notice: str


MERT = Publication(
    name="MERT-v1-95M",
    repository="m-a-p/MERT-v1-95M",
    revision="12af15fef9d0ac838c3f475bfbbf26d2060dd4f5",
    files=(
        PublishedFile(
            "config.json",
            1817,
            "ea2627c4c7825cd66f3c944b6b966331604c35928174e0100cd4a82829424e32",
        ),
        PublishedFile(
            "preprocessor_config.json",
            211,
            "cc5a5e4a5d3b1a758a5ed984b2eaa15bb0522d811d44a9eed82bfca4baa0dc8f",
        ),
        PublishedFile(
            "pytorch_model.bin",
            377_552_987,
            "a2b8b747f72c06e0595aeae41ae5473f4364938c6b39b2c58be38c48e6bd3fcd",
        ),
    ),
    notice=(
        "MERT-v1-95M by m-a-p is licensed CC BY-NC 4.0: "
        "for non-commercial use, with attribution (https://huggingface.co/m-a-p/MERT-v1-95M)."
    ),
)

MUSICNN_VERSION = "0.1.0"
MUSICNN_WHEEL = PublishedFile(
    f"musicnn-{MUSICNN_VERSION}-py3-none-any.whl",
    29_292_476,
    "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
)
"""The package on the Python package index that contains MusiCNN's weights."""
