"""Makes `.venv` from the locked dependencies; standard library only, for it runs before all else.

    python3 -m tools.setup

What was installed is remembered in `.venv/.complete` as a digest of the files that decide it, so
that a second run has nothing to do and needs no network.
"""

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from tools import system_packages
from tools.console import GiveUp, guarded, say, step

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".complete"
LOG = VENV / "setup.log"
LOCK = ROOT / "requirements.lock"
DECIDING = (ROOT / "pyproject.toml", ROOT / "clients" / "pyproject.toml", LOCK)

NEEDED_BYTES = 3_000_000_000
"""The environment takes about 2.1 GB; pip unpacks beside it."""

TORCH = "torch>=2.13,<2.14"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 2

REMEDIES = (
    ("No space left on device", "the disk is full; free about 3 GB"),
    ("Retry(total=0", "no network, or the package index does not answer; run it again"),
    ("ReadTimeout", "the network is too slow or broken; run it again"),
    ("No matching distribution", "a package does not exist for this Python or processor"),
    ("Permission denied", "this folder is not writable; clone the project into one of yours"),
)


def main() -> None:
    """Bring the environment in line with the lock file."""
    wanted = digest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        STAMP.touch()
        return
    say("Setting up .venv: about 250 MB to download, 2 GB on disk, one to five minutes.")
    _check_disk()
    _make_environment()
    install("The installer itself", "pip>=25.1", "setuptools>=77")
    if not _has_torch():
        install(*_torch())
    install("Everything else", "--no-build-isolation", "-e", "clients", "-e", ".", "--group", "dev")
    STAMP.write_text(wanted)
    say("Ready.")


def digest() -> str:
    """Return what stands for the present state of the files that decide what is installed."""
    texts = [path.read_bytes() for path in DECIDING]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _check_disk() -> None:
    free = shutil.disk_usage(ROOT).free
    if not VENV.exists() and free < NEEDED_BYTES:
        needed = f"the setup needs about {NEEDED_BYTES / 1e9:.0f} GB"
        raise GiveUp(f"Only {free / 1e9:.1f} GB free at {ROOT}; {needed}")


def _make_environment() -> None:
    if PYTHON.exists() and _runs("-m", "pip", "--version"):
        return
    if importlib.util.find_spec("ensurepip") is None:
        # Debian ships it apart from Python.
        system_packages.install([f"python3.{sys.version_info.minor}-venv"])
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise GiveUp(f"Cannot make {VENV}: {' '.join(reason)}")


def _runs(*arguments: str) -> bool:
    return subprocess.run([PYTHON, *arguments], capture_output=True, check=False).returncode == 0


def _has_torch() -> bool:
    """Tell whether a torch is there already: another build that the listener chose is kept."""
    return _runs("-c", "import importlib.metadata as m; assert m.version('torch') >= '2.13'")


def _torch() -> list[str]:
    """Return the label and the arguments that install torch, without CUDA where possible."""
    if _offered_without_cuda():
        return ["PyTorch, CPU build (about 200 MB)", "--no-deps", TORCH]
    if _answers(CPU_INDEX):
        return ["PyTorch, CPU build (about 200 MB)", "--no-deps", "--index-url", CPU_INDEX, TORCH]
    return ["PyTorch, CUDA build (some GB, as no CPU build can be had)", TORCH]


def _offered_without_cuda() -> bool:
    """Tell whether what pip is configured to use has a build that does not need CUDA packages."""
    report = subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--report", "-",
         "--constraint", str(LOCK), TORCH],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if report.returncode:
        return False
    wanted = json.loads(report.stdout)["install"][0]["metadata"].get("requires_dist", [])
    return not any(name.startswith(("nvidia", "cuda")) for name in wanted)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=PROBE_SECONDS):
            return True
    except OSError:
        return False


def install(label: str, *arguments: str) -> None:
    """Let pip install something into the environment, within the lock file.

    Raises:
        GiveUp: it failed; with the cause and the remedy.
    """
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    if not step(label, [*pip, "--constraint", str(LOCK), *arguments], LOG):
        raise GiveUp(f"Setup failed: {_cause(LOG.read_text(errors='replace'))} (all in {LOG})")


def _cause(log: str) -> str:
    last = log[log.rindex("\n$ ") :] if "\n$ " in log else log
    for mark, remedy in REMEDIES:
        if mark in last:
            return remedy
    errors = [line for line in last.splitlines() if line.startswith("ERROR")]
    return errors[-1].removeprefix("ERROR: ") if errors else "pip gave no reason"


if __name__ == "__main__":
    guarded(main)
