"""`make dist`: the archives are complete, and the same each time."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import dist

pytestmark = [pytest.mark.slow]

EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return dist.build(tmp_path_factory.mktemp("dist"), EPOCH)


def test_there_are_a_wheel_and_a_source_archive_of_each_package(built: list[Path]) -> None:
    kinds = sorted((path.name.partition("-")[0], path.suffix) for path in built)

    assert kinds == [
        ("anagnorisis", ".gz"),
        ("anagnorisis", ".whl"),
        ("anagnorisisd", ".gz"),
        ("anagnorisisd", ".whl"),
    ]


def test_the_same_tree_gives_the_same_bytes(built: list[Path], tmp_path: Path) -> None:
    """Also for a user with another umask, and another time of day."""
    before = os.umask(0o077)
    try:
        again = dist.build(tmp_path, EPOCH)
    finally:
        os.umask(before)

    assert [path.name for path in again] == [path.name for path in built]
    for one, other in zip(built, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_wheel_made_of_the_source_archive_has_the_same_files(
    built: list[Path], tmp_path: Path
) -> None:
    for archive in [path for path in built if path.suffix == ".gz"]:
        with tarfile.open(archive) as opened:
            opened.extractall(tmp_path, filter="data")
        (wheel,) = [
            path for path in built
            if path.suffix == ".whl" and path.name.startswith(archive.name.partition("-")[0] + "-")
        ]  # fmt: skip
        folder = tmp_path / archive.name.removesuffix(".tar.gz")
        made = tmp_path / "made" / wheel.name
        made.parent.mkdir(exist_ok=True)
        subprocess.run(
            [sys.executable, "-c", "from setuptools import build_meta as b; import sys; "
             "b.build_wheel(sys.argv[1])", str(made.parent)],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        assert contents(made) == contents(wheel)


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_archives_do_not_contain_build_paths(built: list[Path]) -> None:
    for archive in [path for path in built if path.suffix == ".gz"]:
        with tarfile.open(archive) as opened:
            members = opened.getmembers()
        assert {(one.uid, one.gid, one.uname, one.mtime) for one in members} == {(0, 0, "", EPOCH)}


def test_the_wheel_of_the_client_has_the_guide(built: list[Path], tmp_path: Path) -> None:
    (wheel,) = [
        path for path in built if path.name.startswith("anagnorisis-") and path.suffix == ".whl"
    ]
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path)
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from anagnorisis_web import guide\n"
            "found = guide.Guide(guide.directory())\n"
            "print(guide.directory(), *sorted(found.documents))\n"
            "assert found.picture('rating-factor.svg')",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert Path(found[0]) == tmp_path / "anagnorisis_web" / "docs"
    assert found[1:] == sorted(path.stem for path in dist.ROOT.glob("docs/*.md"))
