"""Checks that the base package installs without a compiler on every supported platform.

    python -m tools.resolve_wheels [EXTRA ...]

pip resolves the requirements for each Python and processor, from wheels only, and downloads nothing
but metadata. It needs a package index.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.console import GiveUp, guarded, say

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROCESSORS = ("x86_64", "aarch64")
LIBC_MINORS = range(17, 37)
"""Wheels may require glibc 2.17 up to 2.36, which Debian 12 and Raspberry Pi OS 12 have."""

SHOWN = ("av", "grpcio", "numpy", "scipy", "soxr")
"""The packages of which most depends on the processor."""


def requirements(extras: Sequence[str], project: Path = ROOT / "pyproject.toml") -> list[str]:
    """Return the requirements of the daemon with extras, our own packages left out.

    Raises:
        GiveUp: there is no such extra.
    """
    declared = tomllib.loads(project.read_text())["project"]
    optional = declared["optional-dependencies"]
    if unknown := set(extras) - set(optional):
        raise GiveUp(f"There is no extra {', '.join(sorted(unknown))}")
    wanted = [*declared["dependencies"], *(text for extra in extras for text in optional[extra])]
    return [text for text in wanted if not text.startswith("anagnorisis")]


def options(python: str, processor: str) -> Iterator[str]:
    """Yield the options of pip that describe a platform."""
    yield from ("--python-version", python, "--implementation", "cp", "--only-binary", ":all:")
    yield from ("--platform", f"manylinux2014_{processor}")
    for minor in LIBC_MINORS:
        yield from ("--platform", f"manylinux_2_{minor}_{processor}")


def resolve(wanted: Sequence[str], python: str, processor: str) -> dict[str, str]:
    """Return the version of each package that pip would install.

    Raises:
        GiveUp: a package has no wheel for it; with pip's reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
             "--report", "-", "--target", folder, *options(python, processor), *wanted],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = lines[-1] if lines else done.stderr.strip()
        raise GiveUp(f"Python {python} on {processor}: {reason}")
    found: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return {one["metadata"]["name"].lower(): one["metadata"]["version"] for one in found}


def main(extras: Sequence[str]) -> None:
    """Resolve for every platform, and print a line for each."""
    wanted = requirements(extras)
    for python in PYTHONS:
        for processor in PROCESSORS:
            found = resolve(wanted, python, processor)
            shown = ", ".join(f"{name} {found[name]}" for name in SHOWN)
            say(f"Python {python} {processor}: {len(found)} wheels, {shown}")


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
