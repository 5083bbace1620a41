"""Optional parts of the daemon, the extras of its package: what they need, and how to install them.

The base package has what the parent process and the default embedder use. An extra that is missing
is no error until it is asked for; the error then names the command that installs it.
"""

import json
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

MODULES = {
    "dask": ("distributed",),
    "mert": ("torch", "transformers"),
    "openvino": ("openvino",),
    "report": ("matplotlib",),
}
"""The modules that an extra of `pyproject.toml` brings."""

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where PyTorch publishes builds without CUDA; those of the package index need 6 GB of CUDA."""

TORCH_NEEDED_BY = {"mert"}


def is_installed(extra: str) -> bool:
    """Return whether the modules of an extra can be found; they are not imported."""
    return all(find_spec(module) is not None for module in MODULES[extra])


def install_command(extra: str, prefix: Path | None = None, clone: bool | None = None) -> str:
    """Return the command that adds an extra to the environment `prefix`, by default this one.

    The extra `mert` comes without CUDA packages. `clone` says whether the package was installed
    from a clone by `make`.
    """
    prefix = prefix or Path(sys.prefix)
    if _is_clone() if clone is None else clone:
        return f"make setup EXTRAS={extra}"
    package = f"'anagnorisisd[{extra}]'"
    if (prefix / "uv-receipt.toml").exists():
        cpu = "--torch-backend=cpu " if extra in TORCH_NEEDED_BY else ""
        return f"uv pip install --python {prefix} {cpu}{package}"
    cpu = f"--extra-index-url {TORCH_CPU_INDEX} " if extra in TORCH_NEEDED_BY else ""
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx runpip anagnorisisd install {cpu}{package}"
    return f"{prefix}/bin/pip install {cpu}{package}"


def _is_clone() -> bool:
    """Return whether the package is an editable installation, as `make` makes it."""
    try:
        text = metadata.distribution("anagnorisisd").read_text("direct_url.json") or "{}"
    except metadata.PackageNotFoundError:
        return True
    return bool(json.loads(text).get("dir_info", {}).get("editable"))
