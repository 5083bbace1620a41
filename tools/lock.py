"""Writes `requirements.lock` from what is installed in `.venv`; see `make lock`."""

import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"

HEADER = """\
# The versions that the project is tested with; written by `make lock`, used by `make setup` as
# constraints: what a platform does not need is not installed because it stands here.
#
# Without hashes, because torch is another wheel (CPU, CUDA) on every index while its version is
# the same; so a label such as +cpu is left out as well, and `==` matches every label.
"""


def main() -> None:
    """Freeze the environment."""
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--all", "--exclude-editable"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    pins = sorted((line.split("+")[0] for line in frozen.splitlines()), key=str.lower)
    LOCK.write_text(HEADER + "\n".join(pins) + "\n")
    print(f"{LOCK.name}: {len(pins)} packages")


if __name__ == "__main__":
    main()
