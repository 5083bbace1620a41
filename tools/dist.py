"""Builds the wheels and source archives of daemon and client; see `make dist`.

    python -m tools.dist [DIRECTORY]

The same tree gives the same bytes: the time in the archives is SOURCE_DATE_EPOCH, by default the
time of the last commit, and they hold neither names nor rights of this computer's users. Only what
git tracks is packaged, and the weights of the default embedder, if `make setup` has fetched them.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.console import GiveUp, guarded, say

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = "anagnorisisd/embedding/musicnn/*.npz"
PROJECTS = ("clients", ".")
"""The client comes first: the daemon requires it."""

BUILD = "import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
KINDS = ("sdist", "wheel")
"""In this order: building a wheel leaves files behind."""


def build(target: Path, epoch: int) -> list[Path]:
    """Write the archives to `target` and return their paths; `epoch` is their time, unix seconds.

    Raises:
        GiveUp: they cannot be built; with the reason.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="anagnorisis-dist-") as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        _copy_tree(source)
        built.mkdir()
        for project in PROJECTS:
            for kind in KINDS:
                _build(source / project, kind, built, epoch)
        for archive in built.glob("*.tar.gz"):
            _normalise(archive, epoch)
        return [Path(shutil.copy(path, target)) for path in sorted(built.iterdir())]


def _copy_tree(source: Path) -> None:
    """Copy what belongs into the archives, with rights that do not depend on the umask here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    weights = [str(path.relative_to(ROOT)) for path in ROOT.glob(WEIGHTS)]
    for name in (*names, *weights):
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
        copy.chmod(0o755 if os.access(ROOT / name, os.X_OK) else 0o644)


def _build(project: Path, kind: str, target: Path, epoch: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(kind=kind), str(target)],
        cwd=project,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:]
        raise GiveUp(f"The {kind} of {project.name} cannot be built: {' '.join(reason)}")


def _normalise(archive: Path, epoch: int) -> None:
    """Write a source archive again, sorted, with one time and one owner; setuptools does not."""
    with tarfile.open(archive) as old:
        members = sorted(old.getmembers(), key=lambda member: member.name)
        contents = [old.extractfile(member) if member.isfile() else None for member in members]
        with (
            archive.with_suffix(".new").open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as new,
        ):
            for member, content in zip(members, contents, strict=True):
                member.mtime, member.uid, member.gid = epoch, 0, 0
                member.uname = member.gname = ""
                member.pax_headers = {}
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                new.addfile(member, content)
    archive.with_suffix(".new").replace(archive)


def commit_time() -> int:
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    shown = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if shown.returncode:
        raise GiveUp("This is no clone: set SOURCE_DATE_EPOCH to the time of the release")
    return int(shown.stdout)


def main(arguments: Sequence[str]) -> None:
    """Build into the directory that is named, or into `dist`."""
    target = Path(arguments[0]) if arguments else ROOT / "dist"
    for path in build(target, commit_time()):
        say(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    if not list(ROOT.glob(WEIGHTS)):
        say("Without the weights of the embedder musicnn, which `make setup` fetches.")


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
