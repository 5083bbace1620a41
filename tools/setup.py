"""Makes `.venv` from the locked dependencies; standard library only, for it runs before all else.

    python3 -m tools.setup report web        the daemon with the extras `report` and `web`
    python3 -m tools.setup all               all extras, and what the tests need

What was installed is remembered in `.venv/.complete`, with a digest of the files that decide it, so
that a second run has nothing to do and needs no network. What is there already stays.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
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

TESTS = "tests"
"""The part that is no extra: the dependency group of the tests."""

BASE = "base"
WEIGHTS = "weights"
"""Of MusiCNN: what pip downloads is a wheel, of which little is kept."""

PARTS = ("dask", "mert", "openvino", "report", "web", TESTS)

MEGABYTES = {
    BASE: (105, 410),
    "dask": (5, 40),
    "mert": (225, 1030),
    "openvino": (60, 180),
    "report": (25, 100),
    "web": (1, 7),
    TESTS: (165, 560),
    WEIGHTS: (29, 3),
}
"""What the base and each part take, as measured: megabytes to download, and on the disk."""

CUDA_MEGABYTES = (2900, 5300)
"""What a build of PyTorch with CUDA takes in addition."""

TORCH = "torch>=2.13,<2.14"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

REMEDIES = (
    ("No space left on device", "the disk is full; free some space"),
    ("Retry(total=0", "no network, or the package index does not answer; run it again"),
    ("ReadTimeout", "the network is too slow or broken; run it again"),
    ("No matching distribution", "a package does not exist for this Python or processor"),
    ("Permission denied", "this folder is not writable; clone the project into one of yours"),
)


def main(arguments: Sequence[str]) -> None:
    """Bring the environment in line with the lock file, with the parts that are named."""
    wanted = set(PARTS) if "all" in arguments else _known(arguments)
    of_digest, installed = _installed()
    if of_digest == digest() and wanted <= installed:
        return
    cuda = bool(os.environ.get("CUDA"))
    _announce(wanted - installed, cuda=cuda, fresh=not VENV.exists())
    wanted |= installed
    _make_environment()
    install("The installer itself", "pip>=25.1", "setuptools>=77")
    if "mert" in wanted and not _has_torch():
        _install_torch(cuda)
    extras = ",".join(sorted(wanted - {TESTS}))
    daemon = f".[{extras}]" if extras else "."
    groups = ["--group", "dev"] if TESTS in wanted else []
    install("Everything else", "--no-build-isolation", "-e", "clients", "-e", daemon, *groups)
    _fetch_weights()
    STAMP.write_text("\n".join([digest(), *sorted(wanted)]))
    say("Ready.")


def _fetch_weights() -> None:
    """Store MusiCNN's weights in the package; without a network the daemon does without them."""
    if subprocess.run([PYTHON, "-m", "tools.fetch_weights"], cwd=ROOT, check=False).returncode:
        raise GiveUp("Setup failed: the downloaded weights of MusiCNN cannot be used")


def _known(names: Sequence[str]) -> set[str]:
    unknown = set(names) - set(PARTS)
    if unknown:
        raise GiveUp(
            f"There is no part {', '.join(unknown)}; the parts are all, {', '.join(PARTS)}"
        )
    return set(names)


def _installed() -> tuple[str, set[str]]:
    """Return the digest that the environment was made for, and the parts that it has."""
    try:
        of_digest, *parts = STAMP.read_text().splitlines()
    except (OSError, ValueError):
        return "", set()
    return of_digest, set(parts) & set(PARTS)


def sizes(parts: Collection[str], *, cuda: bool) -> tuple[int, int]:
    """Return the megabytes that `parts` are to download, and take on the disk."""
    taken = [MEGABYTES[part] for part in parts]
    if cuda and "mert" in parts:
        taken.append(CUDA_MEGABYTES)
    return sum(download for download, _ in taken), sum(disk for _, disk in taken)


def _announce(parts: Collection[str], *, cuda: bool, fresh: bool) -> None:
    """Say what is downloaded, and make sure that it fits on the disk."""
    download, disk = sizes([BASE, WEIGHTS, *parts] if fresh else parts, cuda=cuda)
    if fresh:
        say(f"Setting up .venv: {download:,} MB to download, {disk:,} MB on disk.")
    elif parts:
        say(f"Adding {', '.join(sorted(parts))} to .venv: up to {download:,} MB to download.")
    else:
        say("Updating .venv to the changed dependencies.")
    # pip unpacks beside what it has installed.
    free, needed = shutil.disk_usage(ROOT).free, (download + disk) * 1_000_000
    if free < needed:
        need = f"the setup needs about {needed / 1e9:.1f} GB"
        raise GiveUp(f"Only {free / 1e9:.1f} GB free at {ROOT}; {need}")


def digest() -> str:
    """Return what stands for the present state of the files that decide what is installed."""
    texts = [path.read_bytes() for path in DECIDING]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


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
    return _runs(
        "-c", "import importlib.metadata as m; assert m.version('torch').startswith('2.13')"
    )


def _install_torch(cuda: bool) -> None:
    """Install torch: without CUDA, unless it is asked for."""
    if cuda:
        install("PyTorch, CUDA build (about 3 GB)", TORCH)
        return
    label = "PyTorch, CPU build (about 200 MB)"
    if _offered_without_cuda():
        install(label, "--no-deps", TORCH)
        return
    try:
        install(label, "--no-deps", "--index-url", CPU_INDEX, TORCH)
    except GiveUp as error:
        raise GiveUp(
            f"{error}. PyTorch's CPU build comes from {CPU_INDEX}; run it again, or with CUDA=1, "
            "which downloads a build with CUDA (about 3 GB, 6 GB on disk)"
        ) from None


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
    guarded(lambda: main(sys.argv[1:]))
